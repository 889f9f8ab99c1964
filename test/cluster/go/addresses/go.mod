module proxyconfig.dev/addresses

go 1.26

require k8s.io/utils v0.0.0-20260210185600-b8788abfbbc2
