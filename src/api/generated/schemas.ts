// Generated from crds/ by `npm run generate`; do not edit.
import type { CrdSchema } from '../crdSchema.ts';

/** The ProxyConfig CRD's schema, for offline defaulting and validation. */
export const proxyconfigSchema: CrdSchema = {
  "type": "object",
  "required": [
    "spec"
  ],
  "description": "ProxyConfig says how the nodes it selects serve Kubernetes Services: the proxy mode and its settings. The operator picks the one ProxyConfig that governs each node (higher spec.priority, then the older, then the name; one winner, no merging of fields) and hands it to that node's agent in a NodeProxy. Deleting a ProxyConfig never removes a rule from a node: its nodes go to the next ProxyConfig that matches, or keep what they have. Istio has a kind of the same name; `pxc` and `proxyconfigs.proxyconfig.dev` are unambiguous.",
  "properties": {
    "apiVersion": {
      "type": "string",
      "description": "proxyconfig.dev/v1alpha1."
    },
    "kind": {
      "type": "string",
      "description": "ProxyConfig."
    },
    "metadata": {
      "type": "object",
      "properties": {
        "name": {
          "type": "string",
          "maxLength": 63,
          "description": "How nodes and events refer to this ProxyConfig; at most 63 characters."
        }
      }
    },
    "spec": {
      "type": "object",
      "required": [
        "mode"
      ],
      "description": "What the selected nodes should do. Only spec.mode has no default; a change is applied to running nodes without a restart.",
      "x-kubernetes-validations": [
        {
          "rule": "self.mode == 'iptables' || !has(self.iptables)",
          "fieldPath": ".iptables",
          "reason": "FieldValueForbidden",
          "message": "spec.iptables may only be set when spec.mode is iptables; remove spec.iptables or change spec.mode"
        },
        {
          "rule": "self.mode == 'ipvs' || !has(self.ipvs)",
          "fieldPath": ".ipvs",
          "reason": "FieldValueForbidden",
          "message": "spec.ipvs may only be set when spec.mode is ipvs; remove spec.ipvs or change spec.mode"
        },
        {
          "rule": "self.mode == 'nftables' || !has(self.nftables)",
          "fieldPath": ".nftables",
          "reason": "FieldValueForbidden",
          "message": "spec.nftables may only be set when spec.mode is nftables; remove spec.nftables or change spec.mode"
        },
        {
          "rule": "self.mode == 'userspace' || !has(self.userspace)",
          "fieldPath": ".userspace",
          "reason": "FieldValueForbidden",
          "message": "spec.userspace may only be set when spec.mode is userspace; remove spec.userspace or change spec.mode"
        }
      ],
      "properties": {
        "mode": {
          "type": "string",
          "enum": [
            "iptables",
            "ipvs",
            "nftables",
            "userspace"
          ],
          "description": "How a node programs its kernel. iptables: one chain per Service and endpoint, named as kube-proxy names them; the safe choice. nftables: the same in verdict maps, for kernels from 5.13. ipvs: kernel load balancer with its own schedulers. userspace: the agent itself copies the bytes; slow, for nodes where nothing else works. There is no default on purpose. A node that cannot run the mode keeps serving in its previous one and says why in its NodeProxy; agents of this version run iptables and ipvs."
        },
        "nodeSelector": {
          "type": "object",
          "x-kubernetes-map-type": "atomic",
          "description": "The nodes that this ProxyConfig is for, by their labels; every term must hold. Left out: all Linux nodes. Nodes of other systems never match. Example: {matchLabels: {pool: edge}}.",
          "properties": {
            "matchLabels": {
              "type": "object",
              "maxProperties": 32,
              "description": "Labels that a node must carry with exactly these values, e.g. {\"topology.kubernetes.io/zone\": \"eu-1a\"}.",
              "additionalProperties": {
                "type": "string",
                "maxLength": 63
              },
              "x-kubernetes-validations": [
                {
                  "rule": "self.all(k, !format.qualifiedName().validate(k).hasValue() && !format.labelValue().validate(self[k]).hasValue())",
                  "message": "matchLabels must map label keys such as pool or example.com/pool to label values (at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit)"
                }
              ]
            },
            "matchExpressions": {
              "type": "array",
              "maxItems": 16,
              "x-kubernetes-list-type": "atomic",
              "description": "Conditions on labels, all of which must hold. Example: [{key: pool, operator: NotIn, values: [canary]}].",
              "items": {
                "type": "object",
                "required": [
                  "key",
                  "operator"
                ],
                "description": "One condition on one label.",
                "x-kubernetes-validations": [
                  {
                    "rule": "self.operator in ['In','NotIn'] ? has(self.values) && size(self.values) > 0 : !has(self.values) || size(self.values) == 0",
                    "fieldPath": ".values",
                    "message": "values must be given for the operators In and NotIn, and left out for Exists and DoesNotExist"
                  },
                  {
                    "rule": "!format.qualifiedName().validate(self.key).hasValue()",
                    "fieldPath": ".key",
                    "message": "key must be a label key such as pool or example.com/pool"
                  },
                  {
                    "rule": "!has(self.values) || self.values.all(v, !format.labelValue().validate(v).hasValue())",
                    "fieldPath": ".values",
                    "message": "values must be label values (at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit)"
                  }
                ],
                "properties": {
                  "key": {
                    "type": "string",
                    "maxLength": 317,
                    "description": "The label's key, e.g. topology.kubernetes.io/zone."
                  },
                  "operator": {
                    "type": "string",
                    "enum": [
                      "In",
                      "NotIn",
                      "Exists",
                      "DoesNotExist"
                    ],
                    "description": "In: the label has one of the values. NotIn: it has none of them, or is absent. Exists and DoesNotExist look only for the label itself."
                  },
                  "values": {
                    "type": "array",
                    "maxItems": 64,
                    "x-kubernetes-list-type": "atomic",
                    "description": "The values for In and NotIn; to be left out for Exists and DoesNotExist.",
                    "items": {
                      "type": "string",
                      "maxLength": 63
                    }
                  }
                }
              }
            }
          }
        },
        "priority": {
          "type": "integer",
          "format": "int32",
          "minimum": 0,
          "maximum": 1000,
          "default": 0,
          "description": "Which ProxyConfig governs a node that several select: the highest priority. Layering a pool's own ProxyConfig over a general one is normal; only an equal priority is a conflict (the older wins, the other gets the condition Conflicted)."
        },
        "paused": {
          "type": "boolean",
          "default": false,
          "description": "true stops handing changes of this spec to nodes, at whatever point a rollout has reached; nodes go on serving what they have. This, not rollout.maxUnavailable 0, is how to stop a rollout."
        },
        "masquerade": {
          "type": "object",
          "default": {
            "bit": 14,
            "all": false
          },
          "description": "When Service traffic gets the node's address as its source (SNAT), and which packet mark says so.",
          "properties": {
            "bit": {
              "type": "integer",
              "format": "int32",
              "minimum": 0,
              "maximum": 31,
              "default": 14,
              "description": "The bit of the packet mark that says \"masquerade this\"; the mark is 1 shifted left by it. 14 (0x4000) is kube-proxy's and kubelet's. Choose another where a CNI plugin or firewall on the node uses that bit, e.g. 15 for 0x8000."
            },
            "all": {
              "type": "boolean",
              "default": false,
              "description": "true masquerades all traffic to ClusterIPs, also from pods. Backends then see node addresses as clients; needed where replies would not come back through the client's node."
            }
          }
        },
        "sessionAffinity": {
          "type": "object",
          "default": {
            "timeoutPolicy": "Service"
          },
          "description": "How long a client stays with its endpoint in Services with sessionAffinity ClientIP. The API server writes 10800 s into every such Service, so that \"left out\" cannot be told from \"10800\": hence a policy and not a default value.",
          "x-kubernetes-validations": [
            {
              "rule": "self.timeoutPolicy == 'Service' ? !has(self.timeoutSeconds) : has(self.timeoutSeconds)",
              "fieldPath": ".timeoutSeconds",
              "message": "timeoutSeconds is required unless timeoutPolicy is Service, and forbidden when it is; set timeoutSeconds, or another timeoutPolicy (ReplaceDefault, Cap, Override)"
            }
          ],
          "properties": {
            "timeoutPolicy": {
              "type": "string",
              "enum": [
                "Service",
                "ReplaceDefault",
                "Cap",
                "Override"
              ],
              "default": "Service",
              "description": "Service: as each Service asks. ReplaceDefault: timeoutSeconds for Services that ask for Kubernetes' default of 10800 s. Cap: no longer than timeoutSeconds. Override: timeoutSeconds for all."
            },
            "timeoutSeconds": {
              "type": "integer",
              "format": "int32",
              "minimum": 1,
              "maximum": 86400,
              "description": "Seconds since a client's last connection after which it may get another endpoint; required unless timeoutPolicy is Service."
            }
          }
        },
        "sync": {
          "type": "object",
          "default": {
            "periodSeconds": 30,
            "minPeriodSeconds": 0
          },
          "description": "How often the agent writes rules. Changes are written when they happen; these set the pace.",
          "x-kubernetes-validations": [
            {
              "rule": "self.minPeriodSeconds <= self.periodSeconds",
              "fieldPath": ".minPeriodSeconds",
              "message": "sync.minPeriodSeconds must not exceed sync.periodSeconds; lower minPeriodSeconds or raise periodSeconds"
            }
          ],
          "properties": {
            "periodSeconds": {
              "type": "integer",
              "format": "int32",
              "minimum": 1,
              "maximum": 3600,
              "default": 30,
              "description": "Seconds within which a failed write is tried again. /healthz fails when a change has waited twice as long. 30 is kube-proxy's."
            },
            "minPeriodSeconds": {
              "type": "integer",
              "format": "int32",
              "minimum": 0,
              "maximum": 3600,
              "default": 0,
              "description": "Least seconds between the end of one write and the start of the next; changes in between are written together. 0 paces by cost: the next write begins no sooner after the last one than that one took."
            }
          }
        },
        "localTraffic": {
          "type": "object",
          "required": [
            "detect"
          ],
          "description": "How a node tells the cluster's own pods from everything else, so that only foreign traffic to ClusterIPs is masqueraded. Left out: no detection, and ClusterIP traffic is masqueraded only by masquerade.all, as by kube-proxy without a cluster CIDR.",
          "x-kubernetes-validations": [
            {
              "rule": "self.detect == 'ClusterCIDR' ? has(self.clusterCIDRs) : !has(self.clusterCIDRs)",
              "fieldPath": ".clusterCIDRs",
              "message": "clusterCIDRs is required with detect ClusterCIDR and forbidden otherwise; set clusterCIDRs, or choose another detect and remove it"
            },
            {
              "rule": "self.detect in ['BridgeInterface','InterfaceNamePrefix'] ? has(self.interface) : !has(self.interface)",
              "fieldPath": ".interface",
              "message": "interface is required with detect BridgeInterface or InterfaceNamePrefix and forbidden otherwise; set interface, or choose another detect and remove it"
            }
          ],
          "properties": {
            "detect": {
              "type": "string",
              "enum": [
                "ClusterCIDR",
                "NodeCIDR",
                "BridgeInterface",
                "InterfaceNamePrefix"
              ],
              "description": "A pod is local when its address lies in clusterCIDRs (ClusterCIDR) or in the node's own spec.podCIDRs (NodeCIDR), or when its packets come in through the bridge `interface` (BridgeInterface) or an interface whose name begins with `interface` (InterfaceNamePrefix)."
            },
            "clusterCIDRs": {
              "type": "array",
              "minItems": 1,
              "maxItems": 2,
              "x-kubernetes-list-type": "atomic",
              "description": "The pod networks of the whole cluster, one per IP family; for detect ClusterCIDR. Example: [10.244.0.0/16, \"fd00:10:244::/56\"].",
              "x-kubernetes-validations": [
                {
                  "rule": "self.all(c, isCIDR(c) && string(cidr(c).masked()) == c)",
                  "message": "every entry of clusterCIDRs must be a canonical CIDR (no host bits), e.g. 10.244.0.0/16 or fd00:10:244::/56"
                },
                {
                  "rule": "size(self) < 2 || !self.all(c, isCIDR(c)) || cidr(self[0]).ip().family() != cidr(self[1]).ip().family()",
                  "message": "two entries of clusterCIDRs must be one IPv4 and one IPv6; a cluster has one pod network per family"
                }
              ],
              "items": {
                "type": "string",
                "maxLength": 43
              }
            },
            "interface": {
              "type": "string",
              "minLength": 1,
              "maxLength": 15,
              "pattern": "^[A-Za-z0-9_.][A-Za-z0-9_.-]{0,14}$",
              "description": "The bridge's name (cni0) for detect BridgeInterface, or the names' beginning (cali, veth) for InterfaceNamePrefix."
            }
          }
        },
        "nodePorts": {
          "type": "object",
          "description": "Where NodePorts are served.",
          "properties": {
            "addresses": {
              "type": "array",
              "minItems": 1,
              "maxItems": 32,
              "x-kubernetes-list-type": "set",
              "description": "Any of `primary` (the node's first InternalIP of each family), `all` (all the node's addresses), `localhost` (127.0.0.0/8 and ::1/128) and CIDRs, up to 32: the node's addresses inside them serve NodePorts and health-check node ports. Left out: all the node's addresses in iptables, ipvs and userspace mode, the primary ones in nftables mode. `localhost` is for agents to come: those of this version refuse it and keep the configuration before. Whatever stands here, they never serve NodePorts on 127.0.0.1 or ::1. Example: [primary, 192.0.2.0/24].",
              "items": {
                "type": "string",
                "maxLength": 43,
                "x-kubernetes-validations": [
                  {
                    "rule": "self in ['primary', 'localhost', 'all'] || (isCIDR(self) && string(cidr(self).masked()) == self)",
                    "message": "each entry of nodePorts.addresses must be primary, localhost, all or a canonical CIDR (no host bits), e.g. 192.0.2.0/24, or 192.0.2.7/32 for one address"
                  }
                ]
              }
            }
          }
        },
        "externalIPs": {
          "type": "object",
          "description": "Which spec.externalIPs of Services are served.",
          "properties": {
            "allowedCIDRs": {
              "type": "array",
              "maxItems": 32,
              "x-kubernetes-list-type": "set",
              "description": "Networks whose addresses Services may claim as externalIPs. Left out or empty: none, because whoever may create a Service could else draw any address's traffic to it (CVE-2020-8554). Example: [198.51.100.0/24].",
              "x-kubernetes-validations": [
                {
                  "rule": "self.all(c, isCIDR(c) && string(cidr(c).masked()) == c)",
                  "message": "every entry of externalIPs.allowedCIDRs must be a canonical CIDR (no host bits), e.g. 198.51.100.0/24"
                }
              ],
              "items": {
                "type": "string",
                "maxLength": 43
              }
            }
          }
        },
        "conntrack": {
          "type": "object",
          "default": {
            "maxPerCore": 32768,
            "min": 131072,
            "tcpEstablishedTimeoutSeconds": 86400,
            "tcpCloseWaitTimeoutSeconds": 3600,
            "tcpBeLiberal": false
          },
          "description": "The kernel's connection tracking, which all but userspace mode stand on. 0 leaves the kernel's own setting alone everywhere. The table's size is only ever raised: max(maxPerCore x CPUs, min). The defaults are kube-proxy's. What a node's kernel does not let its agent set is named in the NodeProxy's condition ConntrackSettings.",
          "properties": {
            "maxPerCore": {
              "type": "integer",
              "format": "int32",
              "minimum": 0,
              "maximum": 2147483647,
              "default": 32768,
              "description": "Tracked connections per CPU (net.netfilter.nf_conntrack_max); one takes about 320 bytes of kernel memory. 0 leaves the size alone."
            },
            "min": {
              "type": "integer",
              "format": "int32",
              "minimum": 0,
              "maximum": 2147483647,
              "default": 131072,
              "description": "Least size of the table, whatever the number of CPUs."
            },
            "tcpEstablishedTimeoutSeconds": {
              "type": "integer",
              "format": "int32",
              "minimum": 0,
              "maximum": 2147483,
              "default": 86400,
              "description": "Seconds after which an idle established TCP connection is forgotten (nf_conntrack_tcp_timeout_established). 0 leaves it alone."
            },
            "tcpCloseWaitTimeoutSeconds": {
              "type": "integer",
              "format": "int32",
              "minimum": 0,
              "maximum": 2147483,
              "default": 3600,
              "description": "Seconds for which a half-closed TCP connection is remembered (nf_conntrack_tcp_timeout_close_wait). 0 leaves it alone; the kernel's own 60 s breaks clients that close their side early and read on."
            },
            "udpTimeoutSeconds": {
              "type": "integer",
              "format": "int32",
              "minimum": 0,
              "maximum": 2147483,
              "description": "Seconds for which a UDP flow without a reply is remembered (nf_conntrack_udp_timeout). Left out or 0 leaves it alone."
            },
            "udpStreamTimeoutSeconds": {
              "type": "integer",
              "format": "int32",
              "minimum": 0,
              "maximum": 2147483,
              "description": "Seconds for which a UDP flow with replies is remembered (nf_conntrack_udp_timeout_stream). Left out or 0 leaves it alone."
            },
            "tcpBeLiberal": {
              "type": "boolean",
              "default": false,
              "description": "true accepts TCP packets outside the window (nf_conntrack_tcp_be_liberal) and leaves out the rule that drops packets of state INVALID. For networks with asymmetric routes or offloads that lose the window."
            }
          }
        },
        "iptables": {
          "type": "object",
          "description": "Settings of mode iptables; may only be set with it.",
          "properties": {
            "backend": {
              "type": "string",
              "enum": [
                "Auto",
                "Legacy",
                "Nft"
              ],
              "default": "Auto",
              "description": "Which of the kernel's two iptables the rules go to. Auto takes the one that already holds kubelet's and the CNI plugin's chains. Legacy is the old ip_tables, Nft the translation to nf_tables. Rules in both at once are hard to follow: set it only where Auto is wrong."
            }
          }
        },
        "nftables": {
          "type": "object",
          "description": "Settings of mode nftables; may only be set with it.",
          "properties": {
            "tableName": {
              "type": "string",
              "pattern": "^[a-z][a-z0-9_-]{0,30}$",
              "default": "kube-proxy",
              "description": "The table that holds all our rules, one each in the families ip and ip6. kube-proxy's name by default, so that its runbooks (`nft list table ip kube-proxy`) work and its rules are taken over in place."
            }
          }
        },
        "ipvs": {
          "type": "object",
          "description": "Settings of mode ipvs; may only be set with it.",
          "properties": {
            "scheduler": {
              "type": "string",
              "enum": [
                "rr",
                "wrr",
                "lc",
                "wlc",
                "lblc",
                "lblcr",
                "sh",
                "dh",
                "sed",
                "nq",
                "mh"
              ],
              "default": "rr",
              "description": "How a virtual server chooses among its endpoints, as in ipvsadm(8): rr round robin, lc least connections, sh by source address, dh by destination, sed shortest expected delay, nq never queue, mh maglev; w… weighted, lbl… by locality. The kernel needs its module ip_vs_NAME."
            },
            "strictARP": {
              "type": "boolean",
              "default": false,
              "description": "true makes the node answer ARP only for addresses of the interface asked (arp_ignore 1, arp_announce 2), so that nobody learns of a cluster IP on kube-ipvs0 by ARP. MetalLB in layer 2 mode needs it beside kube-proxy alone: here kube-ipvs0 holds no load balancer's address."
            },
            "excludeCIDRs": {
              "type": "array",
              "maxItems": 64,
              "x-kubernetes-list-type": "set",
              "description": "Virtual servers with an address in these networks are left alone, e.g. those of keepalived. Example: [203.0.113.0/24].",
              "x-kubernetes-validations": [
                {
                  "rule": "self.all(c, isCIDR(c) && string(cidr(c).masked()) == c)",
                  "message": "every entry of ipvs.excludeCIDRs must be a canonical CIDR (no host bits), e.g. 203.0.113.0/24"
                }
              ],
              "items": {
                "type": "string",
                "maxLength": 43
              }
            },
            "tcpTimeoutSeconds": {
              "type": "integer",
              "format": "int32",
              "minimum": 0,
              "maximum": 2147483,
              "description": "Seconds for which IPVS remembers an idle TCP connection. Left out or 0 keeps the kernel's (900)."
            },
            "tcpFinTimeoutSeconds": {
              "type": "integer",
              "format": "int32",
              "minimum": 0,
              "maximum": 2147483,
              "description": "Seconds for which IPVS remembers a TCP connection after a FIN. Left out or 0 keeps the kernel's (120)."
            },
            "udpTimeoutSeconds": {
              "type": "integer",
              "format": "int32",
              "minimum": 0,
              "maximum": 2147483,
              "description": "Seconds for which IPVS remembers an idle UDP flow. Left out or 0 keeps the kernel's (300)."
            }
          }
        },
        "userspace": {
          "type": "object",
          "description": "Settings of mode userspace; may only be set with it.",
          "properties": {
            "portRange": {
              "type": "string",
              "maxLength": 11,
              "pattern": "^[0-9]{1,5}-[0-9]{1,5}$",
              "description": "Local ports on which the agent accepts connections, one per Service port, as low-high within 1024-65535. Left out: the kernel picks free ones. Example: 40000-44999.",
              "x-kubernetes-validations": [
                {
                  "rule": "!self.matches('^[0-9]{1,5}-[0-9]{1,5}$') || (int(self.split('-')[0]) >= 1024 && int(self.split('-')[0]) <= int(self.split('-')[1]) && int(self.split('-')[1]) <= 65535)",
                  "message": "portRange must be low-high within 1024-65535, e.g. 40000-44999"
                }
              ]
            },
            "udpIdleTimeoutSeconds": {
              "type": "integer",
              "format": "int32",
              "minimum": 1,
              "maximum": 86400,
              "default": 10,
              "description": "Seconds after which an idle UDP client is forgotten and its local socket closed."
            }
          }
        },
        "migration": {
          "type": "object",
          "default": {
            "strategy": "PreserveConnections",
            "drainTimeoutSeconds": 600
          },
          "description": "How a node goes from one mode to another while it serves. A change whose check or probe fails is undone: the node goes back to the mode before.",
          "properties": {
            "strategy": {
              "type": "string",
              "enum": [
                "PreserveConnections",
                "Replace"
              ],
              "default": "PreserveConnections",
              "description": "PreserveConnections puts the new mode's rules in place and checks them before it removes the old ones, so that no connection breaks. Replace removes the old mode first: for nodes that lack the memory or kernel features to hold both."
            },
            "drainTimeoutSeconds": {
              "type": "integer",
              "format": "int32",
              "minimum": 0,
              "maximum": 86400,
              "default": 600,
              "description": "When leaving ipvs, seconds for which its virtual servers stay for established connections, taking no new ones, UDP flows included. Whatever is left then is cut. 0 removes them at once."
            }
          }
        },
        "drift": {
          "type": "object",
          "default": {
            "policy": "Enforce",
            "checkPeriodSeconds": 60
          },
          "description": "What happens when somebody else changes or flushes our rules on a node.",
          "properties": {
            "policy": {
              "type": "string",
              "enum": [
                "Enforce",
                "Report"
              ],
              "default": "Enforce",
              "description": "Enforce writes the rules again; Report only says so in NodeProxy and in the condition Drifted. Rules of others are never touched."
            },
            "checkPeriodSeconds": {
              "type": "integer",
              "format": "int32",
              "minimum": 10,
              "maximum": 86400,
              "default": 60,
              "description": "Seconds between two checks of the kernel."
            }
          }
        },
        "rollout": {
          "type": "object",
          "default": {
            "maxUnavailable": "10%",
            "minReadySeconds": 30,
            "progressDeadlineSeconds": 600,
            "onFailure": "Rollback",
            "maxFailures": 1,
            "probe": {
              "enabled": true,
              "periodSeconds": 10,
              "failureThreshold": 3
            }
          },
          "description": "How fast a change of this spec goes over the nodes, and what happens when one fails. spec.paused stops it at any point. A node that has never had a configuration gets the last completed one at once, and the first one of all is handed to such nodes without waiting.",
          "x-kubernetes-validations": [
            {
              "rule": "type(self.maxUnavailable) == int ? self.maxUnavailable >= 1 : self.maxUnavailable.matches('^(100|[1-9][0-9]?)%$')",
              "fieldPath": ".maxUnavailable",
              "message": "maxUnavailable must be an integer >= 1 or a percentage 1%-100%; use spec.paused to stop a rollout"
            },
            {
              "rule": "type(self.maxFailures) == int ? self.maxFailures >= 1 : self.maxFailures.matches('^(100|[1-9][0-9]?)%$')",
              "fieldPath": ".maxFailures",
              "message": "maxFailures must be an integer >= 1 or a percentage 1%-100%; use onFailure Continue to go on whatever fails"
            }
          ],
          "properties": {
            "maxUnavailable": {
              "x-kubernetes-int-or-string": true,
              "maxLength": 4,
              "default": "10%",
              "description": "How many governed nodes may be in change, not ready or out of reach at once, as a number or a percentage (rounded up). A node that is out of reach (NotReady, or without a ready agent) no longer counts and gets its revision last when it was not in reach for progressDeadlineSeconds without a break since at least as long."
            },
            "minReadySeconds": {
              "type": "integer",
              "format": "int32",
              "minimum": 0,
              "maximum": 3600,
              "default": 30,
              "description": "Seconds for which a node must have been Ready with the new revision before it counts as done."
            },
            "progressDeadlineSeconds": {
              "type": "integer",
              "format": "int32",
              "minimum": 30,
              "maximum": 86400,
              "default": 600,
              "description": "Seconds without any node becoming done after which the nodes that are still in change count as failed."
            },
            "onFailure": {
              "type": "string",
              "enum": [
                "Rollback",
                "Pause",
                "Continue"
              ],
              "default": "Rollback",
              "description": "What to do once maxFailures nodes have failed. Rollback takes the nodes back to the last completed revision (where there is none it is as Pause), Pause stops where it is, Continue goes on. A revision that was rolled back or stopped is tried again only after a change of spec."
            },
            "maxFailures": {
              "x-kubernetes-int-or-string": true,
              "maxLength": 4,
              "default": 1,
              "description": "With how many failed nodes onFailure takes effect, as a number or a percentage of the governed nodes (rounded up)."
            },
            "steps": {
              "type": "array",
              "maxItems": 10,
              "x-kubernetes-list-type": "atomic",
              "description": "Canary steps in order; after the last one the rest follows. Example: [{setNodes: 1}, {pause: {seconds: 600}}, {setNodes: 25%}, {pause: {}}].",
              "items": {
                "type": "object",
                "description": "Either setNodes or pause.",
                "x-kubernetes-validations": [
                  {
                    "rule": "[has(self.setNodes), has(self.pause)].filter(x, x).size() == 1",
                    "message": "exactly one of setNodes or pause must be set in each of rollout.steps"
                  },
                  {
                    "rule": "!has(self.setNodes) || (type(self.setNodes) == int ? self.setNodes >= 1 : self.setNodes == '100%' || self.setNodes.matches('^[1-9]\\\\d?%$'))",
                    "fieldPath": ".setNodes",
                    "message": "setNodes must be an integer >= 1 or a percentage 1%-100%"
                  }
                ],
                "properties": {
                  "setNodes": {
                    "x-kubernetes-int-or-string": true,
                    "maxLength": 4,
                    "description": "Go on until this many governed nodes run the new revision, as a number or a percentage (rounded up)."
                  },
                  "pause": {
                    "type": "object",
                    "description": "Wait before the next step.",
                    "properties": {
                      "seconds": {
                        "type": "integer",
                        "format": "int32",
                        "minimum": 1,
                        "maximum": 604800,
                        "description": "How long to wait. Left out, the rollout waits until a person takes the pause out of rollout.steps."
                      }
                    }
                  }
                }
              }
            },
            "probe": {
              "type": "object",
              "default": {
                "enabled": true,
                "periodSeconds": 10,
                "failureThreshold": 3
              },
              "description": "After a change each node tries real connections to Services; a node whose probe fails counts as failed (reason ProbeFailed).",
              "properties": {
                "enabled": {
                  "type": "boolean",
                  "default": true,
                  "description": "false trusts the agent's own check of its rules."
                },
                "periodSeconds": {
                  "type": "integer",
                  "format": "int32",
                  "minimum": 1,
                  "maximum": 300,
                  "default": 10,
                  "description": "Seconds between two tries."
                },
                "failureThreshold": {
                  "type": "integer",
                  "format": "int32",
                  "minimum": 1,
                  "maximum": 100,
                  "default": 3,
                  "description": "Tries in a row that must fail before the node counts as failed."
                },
                "services": {
                  "type": "array",
                  "maxItems": 8,
                  "x-kubernetes-list-type": "map",
                  "x-kubernetes-list-map-keys": [
                    "namespace",
                    "name",
                    "port"
                  ],
                  "description": "The Services to try, by TCP; a port that is served by UDP alone is passed over. None named means the API server's own, default/kubernetes.",
                  "items": {
                    "type": "object",
                    "required": [
                      "namespace",
                      "name",
                      "port"
                    ],
                    "description": "One port of one Service.",
                    "properties": {
                      "namespace": {
                        "type": "string",
                        "maxLength": 63,
                        "description": "The Service's namespace."
                      },
                      "name": {
                        "type": "string",
                        "maxLength": 63,
                        "description": "The Service's name."
                      },
                      "port": {
                        "type": "integer",
                        "format": "int32",
                        "minimum": 1,
                        "maximum": 65535,
                        "description": "The Service's port (not its NodePort or target port)."
                      }
                    }
                  }
                }
              }
            }
          }
        },
        "revisionHistoryLimit": {
          "type": "integer",
          "format": "int32",
          "minimum": 1,
          "maximum": 50,
          "default": 10,
          "description": "How many earlier revisions of this spec are kept, as ControllerRevisions in the operator's namespace; a rollback takes its configuration from there."
        }
      }
    },
    "status": {
      "type": "object",
      "default": {
        "observedGeneration": -1
      },
      "description": "What the operator last saw; written by it alone. observedGeneration -1 means it has not looked yet.",
      "properties": {
        "observedGeneration": {
          "type": "integer",
          "format": "int64",
          "description": "The metadata.generation that this status speaks of; less than it while a change has not been looked at."
        },
        "observedHash": {
          "type": "string",
          "maxLength": 64,
          "description": "The revision (hash of the node configuration) that the current spec stands for."
        },
        "conditions": {
          "type": "array",
          "maxItems": 32,
          "x-kubernetes-list-type": "map",
          "x-kubernetes-list-map-keys": [
            "type"
          ],
          "description": "Ready: every governed node serves as asked (also with no node, reason NoNodes). Reconciling: nodes are still changing. Stalled: a person must act. Degraded: some node serves with errors. Conflicted: another ProxyConfig of equal priority won a node. Drifted: somebody else changed our rules on some node. DeprecatedMode: kube-proxy gives up the mode asked for. `kubectl wait --for=condition=Ready pxc/NAME` works.",
          "items": {
            "type": "object",
            "required": [
              "type",
              "status",
              "reason",
              "message",
              "lastTransitionTime"
            ],
            "description": "One observation, as in Kubernetes' API conventions.",
            "properties": {
              "type": {
                "type": "string",
                "maxLength": 316,
                "description": "Ready, Reconciling, Stalled, Degraded, Conflicted, Drifted or DeprecatedMode."
              },
              "status": {
                "type": "string",
                "enum": [
                  "True",
                  "False",
                  "Unknown"
                ],
                "description": "Whether it holds."
              },
              "reason": {
                "type": "string",
                "minLength": 1,
                "maxLength": 1024,
                "description": "Why, in one CamelCase word for machines."
              },
              "message": {
                "type": "string",
                "maxLength": 1024,
                "description": "Why, in a sentence for people."
              },
              "observedGeneration": {
                "type": "integer",
                "format": "int64",
                "minimum": 0,
                "description": "The metadata.generation that this condition speaks of."
              },
              "lastTransitionTime": {
                "type": "string",
                "format": "date-time",
                "description": "When status last changed."
              }
            }
          }
        },
        "nodes": {
          "type": "object",
          "description": "Counts of nodes.",
          "properties": {
            "matched": {
              "type": "integer",
              "format": "int32",
              "description": "Nodes that the selector matches."
            },
            "effective": {
              "type": "integer",
              "format": "int32",
              "description": "Matched nodes that this ProxyConfig governs; fewer where one of higher priority matches too."
            },
            "updated": {
              "type": "integer",
              "format": "int32",
              "description": "Governed nodes that run the current revision."
            },
            "ready": {
              "type": "integer",
              "format": "int32",
              "description": "Governed nodes that serve what they were assigned without error."
            },
            "unavailable": {
              "type": "integer",
              "format": "int32",
              "description": "Governed nodes that are not ready."
            },
            "drifted": {
              "type": "integer",
              "format": "int32",
              "description": "Governed nodes on which somebody else changed our rules."
            },
            "failed": {
              "type": "integer",
              "format": "int32",
              "description": "Governed nodes that refused or could not apply the current revision."
            },
            "stale": {
              "type": "integer",
              "format": "int32",
              "description": "Governed nodes that are NotReady or have no ready agent, so that their status is old."
            }
          }
        },
        "modes": {
          "type": "object",
          "maxProperties": 8,
          "description": "Governed nodes by the mode that they run now, e.g. {iptables 3, nftables 1} in the middle of a change.",
          "additionalProperties": {
            "type": "integer",
            "format": "int32"
          }
        },
        "rollout": {
          "type": "object",
          "description": "Where the rollout of the current spec stands.",
          "properties": {
            "revision": {
              "type": "string",
              "maxLength": 64,
              "description": "The revision being rolled out."
            },
            "previousRevision": {
              "type": "string",
              "maxLength": 64,
              "description": "The last completed revision, to which a rollback goes and which new nodes get."
            },
            "state": {
              "type": "string",
              "enum": [
                "Idle",
                "Progressing",
                "Paused",
                "RollingBack",
                "RolledBack",
                "Complete",
                "Failed"
              ],
              "description": "Idle: no node. Progressing: nodes are being changed. Paused: by spec.paused or a step. RollingBack, RolledBack: nodes go, or went, back to previousRevision. Failed: stopped. Complete: all nodes run revision."
            },
            "step": {
              "type": "string",
              "maxLength": 16,
              "description": "The current step of rollout.steps, e.g. 2/4; absent once all are taken."
            },
            "stepStartedAt": {
              "type": "string",
              "format": "date-time",
              "description": "When the current step began; a pause counts from here."
            },
            "startedAt": {
              "type": "string",
              "format": "date-time",
              "description": "When this rollout began."
            },
            "completedAt": {
              "type": "string",
              "format": "date-time",
              "description": "When it ended."
            },
            "lastProgressAt": {
              "type": "string",
              "format": "date-time",
              "description": "When a node last became done."
            }
          }
        },
        "failures": {
          "type": "array",
          "maxItems": 10,
          "x-kubernetes-list-type": "map",
          "x-kubernetes-list-map-keys": [
            "node"
          ],
          "description": "The first ten nodes that failed and why; the rest is in their NodeProxies.",
          "items": {
            "type": "object",
            "required": [
              "node",
              "reason"
            ],
            "description": "One node's failure.",
            "properties": {
              "node": {
                "type": "string",
                "maxLength": 253,
                "description": "The node, and its NodeProxy, by name."
              },
              "reason": {
                "type": "string",
                "maxLength": 64,
                "description": "Why, in one CamelCase word, e.g. ModeNotSupported."
              },
              "message": {
                "type": "string",
                "maxLength": 256,
                "description": "Why, in a sentence with the remedy."
              },
              "since": {
                "type": "string",
                "format": "date-time",
                "description": "Since when."
              }
            }
          }
        }
      }
    }
  }
};

/** The NodeProxy CRD's schema, for offline defaulting and validation. */
export const nodeproxySchema: CrdSchema = {
  "type": "object",
  "required": [
    "spec"
  ],
  "description": "NodeProxy is one node's share of a ProxyConfig, named as the node: the operator writes its spec, the node's agent its status. People only read it. Deleting it stops nothing: the node keeps its rules and the operator writes it again.",
  "properties": {
    "apiVersion": {
      "type": "string",
      "description": "proxyconfig.dev/v1alpha1."
    },
    "kind": {
      "type": "string",
      "description": "NodeProxy."
    },
    "spec": {
      "type": "object",
      "required": [
        "configRef",
        "revision"
      ],
      "description": "What the node should run; written by the operator.",
      "properties": {
        "configRef": {
          "type": "object",
          "required": [
            "name",
            "uid",
            "generation"
          ],
          "description": "The ProxyConfig that governs the node, at the generation this spec was made from.",
          "properties": {
            "name": {
              "type": "string",
              "maxLength": 63,
              "description": "Its name."
            },
            "uid": {
              "type": "string",
              "maxLength": 36,
              "description": "Its uid; tells a ProxyConfig from an earlier one of the same name."
            },
            "generation": {
              "type": "integer",
              "format": "int64",
              "description": "Its metadata.generation."
            }
          }
        },
        "revision": {
          "type": "string",
          "maxLength": 64,
          "description": "Hash of `config`. Equal configuration has an equal revision on every node."
        },
        "config": {
          "type": "object",
          "x-kubernetes-preserve-unknown-fields": true,
          "description": "The ProxyConfig's spec without what is the operator's own (nodeSelector, priority, paused, rollout, revisionHistoryLimit), defaults filled in. See `kubectl explain pxc.spec` for its fields."
        },
        "probe": {
          "type": "object",
          "required": [
            "periodSeconds",
            "failureThreshold"
          ],
          "description": "The connections that the agent tries before it calls a new revision Ready, as spec.rollout.probe of the ProxyConfig asks. Left out: none.",
          "properties": {
            "periodSeconds": {
              "type": "integer",
              "format": "int32",
              "minimum": 1,
              "maximum": 300,
              "description": "Seconds between two tries."
            },
            "failureThreshold": {
              "type": "integer",
              "format": "int32",
              "minimum": 1,
              "maximum": 100,
              "description": "Tries in a row that must fail before the node reports ProbeFailed."
            },
            "services": {
              "type": "array",
              "maxItems": 8,
              "x-kubernetes-list-type": "map",
              "x-kubernetes-list-map-keys": [
                "namespace",
                "name",
                "port"
              ],
              "description": "The Services to try, by TCP. None named means the API server's own, default/kubernetes.",
              "items": {
                "type": "object",
                "required": [
                  "namespace",
                  "name",
                  "port"
                ],
                "description": "One port of one Service.",
                "properties": {
                  "namespace": {
                    "type": "string",
                    "maxLength": 63,
                    "description": "The Service's namespace."
                  },
                  "name": {
                    "type": "string",
                    "maxLength": 63,
                    "description": "The Service's name."
                  },
                  "port": {
                    "type": "integer",
                    "format": "int32",
                    "minimum": 1,
                    "maximum": 65535,
                    "description": "The Service's port."
                  }
                }
              }
            }
          }
        }
      }
    },
    "status": {
      "type": "object",
      "default": {
        "observedGeneration": -1
      },
      "description": "What the node does now; written by its agent on a change, not as a heartbeat. observedGeneration -1 means the agent has not reported yet.",
      "properties": {
        "observedGeneration": {
          "type": "integer",
          "format": "int64",
          "description": "The metadata.generation that this status speaks of."
        },
        "state": {
          "type": "string",
          "enum": [
            "Pending",
            "Applying",
            "Verifying",
            "Ready",
            "Drifted",
            "Degraded",
            "RolledBack",
            "Paused"
          ],
          "description": "Pending: not programmed yet. Applying, Verifying: a change is going on. Ready: serves as asked. Drifted: somebody else changed our rules. Degraded: serves, but not as asked, see conditions. RolledBack: went back to the previous revision. Paused: takes no changes."
        },
        "mode": {
          "type": "string",
          "maxLength": 16,
          "description": "The mode in force, which is the previous one while a new one is refused."
        },
        "revision": {
          "type": "string",
          "maxLength": 64,
          "description": "The revision in force; equal to spec.revision when the node is up to date."
        },
        "previousRevision": {
          "type": "string",
          "maxLength": 64,
          "description": "The revision before it."
        },
        "agentVersion": {
          "type": "string",
          "maxLength": 64,
          "description": "The agent's version."
        },
        "kernel": {
          "type": "string",
          "maxLength": 64,
          "description": "The node's kernel release, which decides about the modes that it can run."
        },
        "lastChangeTime": {
          "type": "string",
          "format": "date-time",
          "description": "When the agent last wrote this status."
        },
        "dataplane": {
          "type": "object",
          "description": "What stands in the node's kernel.",
          "properties": {
            "services": {
              "type": "integer",
              "format": "int32",
              "description": "Services programmed."
            },
            "endpoints": {
              "type": "integer",
              "format": "int32",
              "description": "Endpoints programmed."
            },
            "rulesHash": {
              "type": "string",
              "maxLength": 64,
              "description": "Hash of all our kernel objects; equal rules have an equal hash."
            },
            "drifts": {
              "type": "integer",
              "format": "int64",
              "description": "How often somebody else changed our rules since the agent started."
            },
            "lastDriftTime": {
              "type": "string",
              "format": "date-time",
              "description": "When that last happened."
            },
            "quarantinedCount": {
              "type": "integer",
              "format": "int32",
              "description": "Services that are not programmed because the kernel or a safety check refused them, or because they would make more than 200,000 rules; all others are served."
            },
            "quarantined": {
              "type": "array",
              "maxItems": 10,
              "x-kubernetes-list-type": "map",
              "x-kubernetes-list-map-keys": [
                "namespace",
                "name"
              ],
              "description": "The first ten of them.",
              "items": {
                "type": "object",
                "required": [
                  "namespace",
                  "name",
                  "reason"
                ],
                "description": "One Service that is not programmed.",
                "properties": {
                  "namespace": {
                    "type": "string",
                    "maxLength": 63,
                    "description": "The Service's namespace."
                  },
                  "name": {
                    "type": "string",
                    "maxLength": 63,
                    "description": "The Service's name."
                  },
                  "reason": {
                    "type": "string",
                    "maxLength": 64,
                    "description": "Why, in one CamelCase word."
                  },
                  "message": {
                    "type": "string",
                    "maxLength": 256,
                    "description": "Why, in a sentence with the remedy."
                  }
                }
              }
            },
            "portConflicts": {
              "type": "array",
              "maxItems": 10,
              "x-kubernetes-list-type": "map",
              "x-kubernetes-list-map-keys": [
                "namespace",
                "name",
                "port",
                "protocol"
              ],
              "description": "The first ten ports of the node that a Service has, as a NodePort or for health checks, and another program listens on. NodePorts are served all the same.",
              "items": {
                "type": "object",
                "required": [
                  "namespace",
                  "name",
                  "port",
                  "protocol"
                ],
                "description": "One port of one Service.",
                "properties": {
                  "namespace": {
                    "type": "string",
                    "maxLength": 63,
                    "description": "The Service's namespace."
                  },
                  "name": {
                    "type": "string",
                    "maxLength": 63,
                    "description": "The Service's name."
                  },
                  "port": {
                    "type": "integer",
                    "format": "int32",
                    "minimum": 1,
                    "maximum": 65535,
                    "description": "The port of the node."
                  },
                  "protocol": {
                    "type": "string",
                    "enum": [
                      "TCP",
                      "UDP",
                      "SCTP"
                    ],
                    "description": "Its protocol."
                  }
                }
              }
            },
            "lastError": {
              "type": "string",
              "maxLength": 512,
              "description": "The last thing that went wrong; empty once all is well again."
            }
          }
        },
        "conditions": {
          "type": "array",
          "maxItems": 32,
          "x-kubernetes-list-type": "map",
          "x-kubernetes-list-map-keys": [
            "type"
          ],
          "description": "Ready: the node serves as asked. Others say what does not, in the terms of ProxyConfig's conditions.",
          "items": {
            "type": "object",
            "required": [
              "type",
              "status",
              "reason",
              "message",
              "lastTransitionTime"
            ],
            "description": "One observation, as in Kubernetes' API conventions.",
            "properties": {
              "type": {
                "type": "string",
                "maxLength": 64,
                "description": "What is observed, e.g. Ready."
              },
              "status": {
                "type": "string",
                "enum": [
                  "True",
                  "False",
                  "Unknown"
                ],
                "description": "Whether it holds."
              },
              "reason": {
                "type": "string",
                "minLength": 1,
                "maxLength": 64,
                "description": "Why, in one CamelCase word for machines."
              },
              "message": {
                "type": "string",
                "maxLength": 256,
                "description": "Why, in a sentence for people."
              },
              "observedGeneration": {
                "type": "integer",
                "format": "int64",
                "minimum": 0,
                "description": "The metadata.generation that this condition speaks of."
              },
              "lastTransitionTime": {
                "type": "string",
                "format": "date-time",
                "description": "When status last changed."
              }
            }
          }
        }
      }
    }
  }
};
