// Judges Kubernetes objects as tools for GitOps do: by kstatus, as Flux does, and by a health check of Argo CD.
//
// The argument is the health check in Lua. Standard input has one object as JSON on each line; so has standard output, with both verdicts.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"os"

	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

type verdicts struct {
	Kstatus string `json:"kstatus"`
	Argo    string `json:"argo"`
	Message string `json:"message"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		judged, err := judge(lines.Bytes(), os.Args[1])
		if err != nil {
			log.Fatal(err)
		}
		if err := json.NewEncoder(os.Stdout).Encode(judged); err != nil {
			log.Fatal(err)
		}
	}
}

func judge(line []byte, check string) (verdicts, error) {
	var object unstructured.Unstructured
	if err := object.UnmarshalJSON(line); err != nil {
		return verdicts{}, err
	}
	result, err := status.Compute(&object)
	if err != nil {
		return verdicts{}, err
	}
	health, message, err := runCheck(check, object.Object)
	return verdicts{Kstatus: string(result.Status), Argo: health, Message: message}, err
}

func runCheck(check string, object map[string]any) (health, message string, err error) {
	state := lua.NewState()
	defer state.Close()
	state.SetGlobal("obj", luaValue(state, object))
	if err := state.DoString(check); err != nil {
		return "", "", err
	}
	answer, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return "", "", fmt.Errorf("the health check returns no table")
	}
	return answer.RawGetString("status").String(), answer.RawGetString("message").String(), nil
}

func luaValue(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case map[string]any:
		table := state.NewTable()
		for key, element := range value {
			table.RawSetString(key, luaValue(state, element))
		}
		return table
	case []any:
		table := state.NewTable()
		for _, element := range value {
			table.Append(luaValue(state, element))
		}
		return table
	case string:
		return lua.LString(value)
	case bool:
		return lua.LBool(value)
	case int64:
		return lua.LNumber(value)
	case float64:
		return lua.LNumber(value)
	}
	return lua.LNil
}
