// Reads addresses and networks as Kubernetes does: by the lenient parsers of k8s.io/utils/net, which kube-proxy and the API server's validation use, and by
// the strict ones of net/netip as the CEL functions ip and cidr of k8s.io/apiserver call them.
//
// Standard input has one text as a JSON string on each line; so has standard output, with what became of it.
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"net/netip"
	"os"
	"strings"

	netutils "k8s.io/utils/net"
)

type reading struct {
	// In canonical spelling; null where the text is none.
	Address *string `json:"address"`
	// Of the text without blanks around it, as kube-proxy reads source ranges; host bits cleared.
	CIDR *string `json:"cidr"`
	// Whether isIP and isCIDR hold in CEL.
	IsIP   bool `json:"isIP"`
	IsCIDR bool `json:"isCIDR"`
	// string(cidr(text).masked()) in CEL; empty where it is none.
	Masked string `json:"masked"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	output := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(output)
	for lines.Scan() {
		var text string
		if err := json.Unmarshal(lines.Bytes(), &text); err != nil {
			log.Fatal(err)
		}
		if err := encoder.Encode(read(text)); err != nil {
			log.Fatal(err)
		}
	}
	if err := output.Flush(); err != nil {
		log.Fatal(err)
	}
}

func read(text string) (result reading) {
	if ip := netutils.ParseIPSloppy(text); ip != nil {
		address := ip.String()
		result.Address = &address
	}
	if _, network, err := netutils.ParseCIDRSloppy(strings.TrimSpace(text)); err == nil {
		cidr := network.String()
		result.CIDR = &cidr
	}
	address, err := netip.ParseAddr(text)
	result.IsIP = err == nil && address.Zone() == "" && !address.Is4In6()
	prefix, err := netip.ParsePrefix(text)
	result.IsCIDR = err == nil && !prefix.Addr().Is4In6()
	if result.IsCIDR {
		result.Masked = prefix.Masked().String()
	}
	return result
}
