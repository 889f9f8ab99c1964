// Generated from crds/ by `npm run generate`; do not edit.
import type { CrdSchema } from './crdSchema.ts';

/** The ProxyConfig CRD's schema, for offline defaulting and validation. */
export const proxyconfigSchema: CrdSchema = {
  "type": "object",
  "required": [
    "spec"
  ],
  "properties": {
    "apiVersion": {
      "type": "string"
    },
    "kind": {
      "type": "string"
    },
    "metadata": {
      "type": "object",
      "properties": {
        "name": {
          "type": "string",
          "maxLength": 63
        }
      }
    },
    "spec": {
      "type": "object",
      "required": [
        "mode"
      ],
      "x-kubernetes-validations": [
        {
          "rule": "self.mode == 'iptables' || !has(self.iptables)",
          "fieldPath": ".iptables",
          "reason": "FieldValueForbidden",
          "message": "spec.iptables may only be set when spec.mode is iptables"
        },
        {
          "rule": "self.mode == 'ipvs' || !has(self.ipvs)",
          "fieldPath": ".ipvs",
          "reason": "FieldValueForbidden",
          "message": "spec.ipvs may only be set when spec.mode is ipvs"
        },
        {
          "rule": "self.mode == 'nftables' || !has(self.nftables)",
          "fieldPath": ".nftables",
          "reason": "FieldValueForbidden",
          "message": "spec.nftables may only be set when spec.mode is nftables"
        },
        {
          "rule": "self.mode == 'userspace' || !has(self.userspace)",
          "fieldPath": ".userspace",
          "reason": "FieldValueForbidden",
          "message": "spec.userspace may only be set when spec.mode is userspace"
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
          ]
        },
        "nodeSelector": {
          "type": "object",
          "x-kubernetes-map-type": "atomic",
          "properties": {
            "matchLabels": {
              "type": "object",
              "maxProperties": 32,
              "additionalProperties": {
                "type": "string",
                "maxLength": 63
              },
              "x-kubernetes-validations": [
                {
                  "rule": "self.all(k, !format.qualifiedName().validate(k).hasValue() && !format.labelValue().validate(self[k]).hasValue())",
                  "message": "keys must be qualified names and values valid label values"
                }
              ]
            },
            "matchExpressions": {
              "type": "array",
              "maxItems": 16,
              "x-kubernetes-list-type": "atomic",
              "items": {
                "type": "object",
                "required": [
                  "key",
                  "operator"
                ],
                "x-kubernetes-validations": [
                  {
                    "rule": "self.operator in ['In','NotIn'] ? has(self.values) && size(self.values) > 0 : !has(self.values) || size(self.values) == 0",
                    "message": "values must be non-empty for In/NotIn and empty for Exists/DoesNotExist"
                  },
                  {
                    "rule": "!format.qualifiedName().validate(self.key).hasValue()",
                    "message": "key must be a qualified label name"
                  },
                  {
                    "rule": "!has(self.values) || self.values.all(v, !format.labelValue().validate(v).hasValue())",
                    "message": "values must be valid label values"
                  }
                ],
                "properties": {
                  "key": {
                    "type": "string",
                    "maxLength": 317
                  },
                  "operator": {
                    "type": "string",
                    "enum": [
                      "In",
                      "NotIn",
                      "Exists",
                      "DoesNotExist"
                    ]
                  },
                  "values": {
                    "type": "array",
                    "maxItems": 64,
                    "x-kubernetes-list-type": "atomic",
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
          "default": 0
        },
        "paused": {
          "type": "boolean",
          "default": false
        },
        "masquerade": {
          "type": "object",
          "default": {},
          "properties": {
            "bit": {
              "type": "integer",
              "format": "int32",
              "minimum": 0,
              "maximum": 31,
              "default": 14
            },
            "all": {
              "type": "boolean",
              "default": false
            }
          }
        },
        "sessionAffinity": {
          "type": "object",
          "default": {
            "timeoutPolicy": "Service"
          },
          "x-kubernetes-validations": [
            {
              "rule": "self.timeoutPolicy == 'Service' ? !has(self.timeoutSeconds) : has(self.timeoutSeconds)",
              "fieldPath": ".timeoutSeconds",
              "message": "timeoutSeconds is required unless timeoutPolicy is Service, and forbidden when it is"
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
              "default": "Service"
            },
            "timeoutSeconds": {
              "type": "integer",
              "format": "int32",
              "minimum": 1,
              "maximum": 86400
            }
          }
        },
        "sync": {
          "type": "object",
          "default": {
            "periodSeconds": 30,
            "minPeriodSeconds": 0
          },
          "x-kubernetes-validations": [
            {
              "rule": "self.minPeriodSeconds <= self.periodSeconds",
              "fieldPath": ".minPeriodSeconds",
              "message": "sync.minPeriodSeconds must not exceed sync.periodSeconds"
            }
          ],
          "properties": {
            "periodSeconds": {
              "type": "integer",
              "format": "int32",
              "minimum": 1,
              "maximum": 3600,
              "default": 30
            },
            "minPeriodSeconds": {
              "type": "integer",
              "format": "int32",
              "minimum": 0,
              "maximum": 3600,
              "default": 0
            }
          }
        },
        "localTraffic": {
          "type": "object",
          "x-kubernetes-validations": [
            {
              "rule": "self.detect == 'ClusterCIDR' ? has(self.clusterCIDRs) : !has(self.clusterCIDRs)",
              "fieldPath": ".clusterCIDRs",
              "message": "clusterCIDRs is required with detect ClusterCIDR and forbidden otherwise"
            },
            {
              "rule": "self.detect in ['BridgeInterface','InterfaceNamePrefix'] ? has(self.interface) : !has(self.interface)",
              "fieldPath": ".interface",
              "message": "interface is required with detect BridgeInterface or InterfaceNamePrefix and forbidden otherwise"
            }
          ],
          "required": [
            "detect"
          ],
          "properties": {
            "detect": {
              "type": "string",
              "enum": [
                "ClusterCIDR",
                "NodeCIDR",
                "BridgeInterface",
                "InterfaceNamePrefix"
              ]
            },
            "clusterCIDRs": {
              "type": "array",
              "minItems": 1,
              "maxItems": 2,
              "x-kubernetes-list-type": "atomic",
              "x-kubernetes-validations": [
                {
                  "rule": "self.all(c, isCIDR(c) && string(cidr(c).masked()) == c)",
                  "message": "every entry must be a canonical CIDR (no host bits), e.g. 10.244.0.0/16 or fd00:10:244::/56"
                },
                {
                  "rule": "size(self) < 2 || !self.all(c, isCIDR(c)) || cidr(self[0]).ip().family() != cidr(self[1]).ip().family()",
                  "message": "two entries must be one IPv4 and one IPv6"
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
              "pattern": "^[A-Za-z0-9_.][A-Za-z0-9_.-]{0,14}$"
            }
          }
        },
        "nodePorts": {
          "type": "object",
          "properties": {
            "addresses": {
              "type": "array",
              "maxItems": 32,
              "x-kubernetes-list-type": "set",
              "x-kubernetes-validations": [
                {
                  "rule": "self.all(a, a == 'primary' || (isCIDR(a) && string(cidr(a).masked()) == a))",
                  "message": "each entry must be 'primary' or a canonical CIDR"
                },
                {
                  "rule": "size(self) == 1 || !('primary' in self)",
                  "message": "'primary' cannot be combined with CIDRs"
                }
              ],
              "items": {
                "type": "string",
                "maxLength": 43
              }
            }
          }
        },
        "externalIPs": {
          "type": "object",
          "properties": {
            "allowedCIDRs": {
              "type": "array",
              "maxItems": 32,
              "x-kubernetes-list-type": "set",
              "x-kubernetes-validations": [
                {
                  "rule": "self.all(c, isCIDR(c) && string(cidr(c).masked()) == c)",
                  "message": "every entry must be a canonical CIDR"
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
          "default": {},
          "properties": {
            "maxPerCore": {
              "type": "integer",
              "format": "int32",
              "minimum": 0,
              "default": 32768
            },
            "min": {
              "type": "integer",
              "format": "int32",
              "minimum": 0,
              "default": 131072
            },
            "tcpEstablishedTimeoutSeconds": {
              "type": "integer",
              "format": "int32",
              "minimum": 0,
              "maximum": 2147483,
              "default": 86400
            },
            "tcpCloseWaitTimeoutSeconds": {
              "type": "integer",
              "format": "int32",
              "minimum": 0,
              "maximum": 2147483,
              "default": 3600
            },
            "udpTimeoutSeconds": {
              "type": "integer",
              "format": "int32",
              "minimum": 0,
              "maximum": 2147483
            },
            "udpStreamTimeoutSeconds": {
              "type": "integer",
              "format": "int32",
              "minimum": 0,
              "maximum": 2147483
            },
            "tcpBeLiberal": {
              "type": "boolean",
              "default": false
            }
          }
        },
        "iptables": {
          "type": "object",
          "properties": {
            "backend": {
              "type": "string",
              "enum": [
                "Auto",
                "Legacy",
                "Nft"
              ],
              "default": "Auto"
            }
          }
        },
        "nftables": {
          "type": "object",
          "properties": {
            "tableName": {
              "type": "string",
              "pattern": "^[a-z][a-z0-9_-]{0,30}$",
              "default": "nodeproxy"
            }
          }
        },
        "ipvs": {
          "type": "object",
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
              "default": "rr"
            },
            "strictARP": {
              "type": "boolean",
              "default": false
            },
            "excludeCIDRs": {
              "type": "array",
              "maxItems": 64,
              "x-kubernetes-list-type": "set",
              "x-kubernetes-validations": [
                {
                  "rule": "self.all(c, isCIDR(c) && string(cidr(c).masked()) == c)",
                  "message": "every entry must be a canonical CIDR"
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
              "maximum": 2147483
            },
            "tcpFinTimeoutSeconds": {
              "type": "integer",
              "format": "int32",
              "minimum": 0,
              "maximum": 2147483
            },
            "udpTimeoutSeconds": {
              "type": "integer",
              "format": "int32",
              "minimum": 0,
              "maximum": 2147483
            }
          }
        },
        "userspace": {
          "type": "object",
          "properties": {
            "portRange": {
              "type": "string",
              "maxLength": 11,
              "pattern": "^[0-9]{1,5}-[0-9]{1,5}$",
              "x-kubernetes-validations": [
                {
                  "rule": "!self.matches('^[0-9]{1,5}-[0-9]{1,5}$') || (int(self.split('-')[0]) >= 1024 && int(self.split('-')[0]) <= int(self.split('-')[1]) && int(self.split('-')[1]) <= 65535)",
                  "message": "portRange must be low-high within 1024-65535"
                }
              ]
            },
            "udpIdleTimeoutSeconds": {
              "type": "integer",
              "format": "int32",
              "minimum": 1,
              "maximum": 86400,
              "default": 10
            }
          }
        },
        "migration": {
          "type": "object",
          "default": {},
          "properties": {
            "strategy": {
              "type": "string",
              "enum": [
                "PreserveConnections",
                "Replace"
              ],
              "default": "PreserveConnections"
            },
            "drainTimeoutSeconds": {
              "type": "integer",
              "format": "int32",
              "minimum": 0,
              "maximum": 86400,
              "default": 600
            }
          }
        },
        "drift": {
          "type": "object",
          "default": {},
          "properties": {
            "policy": {
              "type": "string",
              "enum": [
                "Enforce",
                "Report"
              ],
              "default": "Enforce"
            },
            "checkPeriodSeconds": {
              "type": "integer",
              "format": "int32",
              "minimum": 10,
              "maximum": 86400,
              "default": 60
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
            "maxFailures": 1
          },
          "x-kubernetes-validations": [
            {
              "rule": "type(self.maxUnavailable) == int ? self.maxUnavailable >= 1 : self.maxUnavailable.matches('^(100|[1-9][0-9]?)%$')",
              "fieldPath": ".maxUnavailable",
              "message": "maxUnavailable must be an integer >= 1 or a percentage 1%-100%; use spec.paused to stop a rollout"
            },
            {
              "rule": "type(self.maxFailures) == int ? self.maxFailures >= 1 : self.maxFailures.matches('^(100|[1-9][0-9]?)%$')",
              "fieldPath": ".maxFailures",
              "message": "maxFailures must be an integer >= 1 or a percentage 1%-100%"
            }
          ],
          "properties": {
            "maxUnavailable": {
              "x-kubernetes-int-or-string": true,
              "maxLength": 4,
              "default": "10%"
            },
            "minReadySeconds": {
              "type": "integer",
              "format": "int32",
              "minimum": 0,
              "maximum": 3600,
              "default": 30
            },
            "progressDeadlineSeconds": {
              "type": "integer",
              "format": "int32",
              "minimum": 30,
              "maximum": 86400,
              "default": 600
            },
            "onFailure": {
              "type": "string",
              "enum": [
                "Rollback",
                "Pause",
                "Continue"
              ],
              "default": "Rollback"
            },
            "maxFailures": {
              "x-kubernetes-int-or-string": true,
              "maxLength": 4,
              "default": 1
            },
            "steps": {
              "type": "array",
              "maxItems": 10,
              "x-kubernetes-list-type": "atomic",
              "items": {
                "type": "object",
                "x-kubernetes-validations": [
                  {
                    "rule": "[has(self.setNodes), has(self.pause)].filter(x, x).size() == 1",
                    "message": "exactly one of setNodes or pause must be set"
                  },
                  {
                    "rule": "!has(self.setNodes) || (type(self.setNodes) == int ? self.setNodes >= 1 : self.setNodes.matches('^(100|[1-9][0-9]?)%$'))",
                    "message": "setNodes must be an integer >= 1 or a percentage 1%-100%"
                  }
                ],
                "properties": {
                  "setNodes": {
                    "x-kubernetes-int-or-string": true,
                    "maxLength": 4
                  },
                  "pause": {
                    "type": "object",
                    "properties": {
                      "seconds": {
                        "type": "integer",
                        "format": "int32",
                        "minimum": 1,
                        "maximum": 604800
                      }
                    }
                  }
                }
              }
            },
            "probe": {
              "type": "object",
              "default": {},
              "properties": {
                "enabled": {
                  "type": "boolean",
                  "default": true
                },
                "periodSeconds": {
                  "type": "integer",
                  "format": "int32",
                  "minimum": 1,
                  "maximum": 300,
                  "default": 10
                },
                "failureThreshold": {
                  "type": "integer",
                  "format": "int32",
                  "minimum": 1,
                  "maximum": 100,
                  "default": 3
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
                  "items": {
                    "type": "object",
                    "required": [
                      "namespace",
                      "name",
                      "port"
                    ],
                    "properties": {
                      "namespace": {
                        "type": "string",
                        "maxLength": 63
                      },
                      "name": {
                        "type": "string",
                        "maxLength": 63
                      },
                      "port": {
                        "type": "integer",
                        "format": "int32",
                        "minimum": 1,
                        "maximum": 65535
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
          "default": 10
        }
      }
    },
    "status": {
      "type": "object",
      "default": {
        "observedGeneration": -1
      },
      "properties": {
        "observedGeneration": {
          "type": "integer",
          "format": "int64"
        },
        "observedHash": {
          "type": "string",
          "maxLength": 64
        },
        "conditions": {
          "type": "array",
          "maxItems": 12,
          "x-kubernetes-list-type": "map",
          "x-kubernetes-list-map-keys": [
            "type"
          ],
          "items": {
            "type": "object",
            "required": [
              "type",
              "status",
              "reason",
              "message",
              "lastTransitionTime"
            ],
            "properties": {
              "type": {
                "type": "string",
                "maxLength": 316
              },
              "status": {
                "type": "string",
                "enum": [
                  "True",
                  "False",
                  "Unknown"
                ]
              },
              "reason": {
                "type": "string",
                "minLength": 1,
                "maxLength": 1024
              },
              "message": {
                "type": "string",
                "maxLength": 1024
              },
              "observedGeneration": {
                "type": "integer",
                "format": "int64",
                "minimum": 0
              },
              "lastTransitionTime": {
                "type": "string",
                "format": "date-time"
              }
            }
          }
        },
        "nodes": {
          "type": "object",
          "properties": {
            "matched": {
              "type": "integer",
              "format": "int32"
            },
            "effective": {
              "type": "integer",
              "format": "int32"
            },
            "updated": {
              "type": "integer",
              "format": "int32"
            },
            "ready": {
              "type": "integer",
              "format": "int32"
            },
            "unavailable": {
              "type": "integer",
              "format": "int32"
            },
            "drifted": {
              "type": "integer",
              "format": "int32"
            },
            "failed": {
              "type": "integer",
              "format": "int32"
            },
            "stale": {
              "type": "integer",
              "format": "int32"
            }
          }
        },
        "modes": {
          "type": "object",
          "maxProperties": 8,
          "additionalProperties": {
            "type": "integer",
            "format": "int32"
          }
        },
        "rollout": {
          "type": "object",
          "properties": {
            "revision": {
              "type": "string",
              "maxLength": 64
            },
            "previousRevision": {
              "type": "string",
              "maxLength": 64
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
              ]
            },
            "step": {
              "type": "string",
              "maxLength": 16
            },
            "startedAt": {
              "type": "string",
              "format": "date-time"
            },
            "completedAt": {
              "type": "string",
              "format": "date-time"
            },
            "lastProgressAt": {
              "type": "string",
              "format": "date-time"
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
          "items": {
            "type": "object",
            "required": [
              "node",
              "reason"
            ],
            "properties": {
              "node": {
                "type": "string",
                "maxLength": 253
              },
              "reason": {
                "type": "string",
                "maxLength": 64
              },
              "message": {
                "type": "string",
                "maxLength": 256
              },
              "since": {
                "type": "string",
                "format": "date-time"
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
  "properties": {
    "spec": {
      "type": "object",
      "required": [
        "configRef",
        "revision"
      ],
      "properties": {
        "configRef": {
          "type": "object",
          "required": [
            "name",
            "uid",
            "generation"
          ],
          "properties": {
            "name": {
              "type": "string",
              "maxLength": 63
            },
            "uid": {
              "type": "string",
              "maxLength": 36
            },
            "generation": {
              "type": "integer",
              "format": "int64"
            }
          }
        },
        "revision": {
          "type": "string",
          "maxLength": 64
        },
        "config": {
          "type": "object",
          "x-kubernetes-preserve-unknown-fields": true
        }
      }
    },
    "status": {
      "type": "object",
      "default": {
        "observedGeneration": -1
      },
      "properties": {
        "observedGeneration": {
          "type": "integer",
          "format": "int64"
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
          ]
        },
        "mode": {
          "type": "string",
          "maxLength": 16
        },
        "revision": {
          "type": "string",
          "maxLength": 64
        },
        "previousRevision": {
          "type": "string",
          "maxLength": 64
        },
        "agentVersion": {
          "type": "string",
          "maxLength": 64
        },
        "kernel": {
          "type": "string",
          "maxLength": 64
        },
        "lastChangeTime": {
          "type": "string",
          "format": "date-time"
        },
        "dataplane": {
          "type": "object",
          "properties": {
            "services": {
              "type": "integer",
              "format": "int32"
            },
            "endpoints": {
              "type": "integer",
              "format": "int32"
            },
            "rulesHash": {
              "type": "string",
              "maxLength": 64
            },
            "drifts": {
              "type": "integer",
              "format": "int64"
            },
            "lastDriftTime": {
              "type": "string",
              "format": "date-time"
            },
            "quarantinedCount": {
              "type": "integer",
              "format": "int32"
            },
            "quarantined": {
              "type": "array",
              "maxItems": 10,
              "x-kubernetes-list-type": "map",
              "x-kubernetes-list-map-keys": [
                "namespace",
                "name"
              ],
              "items": {
                "type": "object",
                "required": [
                  "namespace",
                  "name",
                  "reason"
                ],
                "properties": {
                  "namespace": {
                    "type": "string",
                    "maxLength": 63
                  },
                  "name": {
                    "type": "string",
                    "maxLength": 63
                  },
                  "reason": {
                    "type": "string",
                    "maxLength": 64
                  },
                  "message": {
                    "type": "string",
                    "maxLength": 256
                  }
                }
              }
            },
            "lastError": {
              "type": "string",
              "maxLength": 512
            }
          }
        },
        "conditions": {
          "type": "array",
          "maxItems": 8,
          "x-kubernetes-list-type": "map",
          "x-kubernetes-list-map-keys": [
            "type"
          ],
          "items": {
            "type": "object",
            "required": [
              "type",
              "status",
              "reason",
              "message",
              "lastTransitionTime"
            ],
            "properties": {
              "type": {
                "type": "string",
                "maxLength": 64
              },
              "status": {
                "type": "string",
                "enum": [
                  "True",
                  "False",
                  "Unknown"
                ]
              },
              "reason": {
                "type": "string",
                "minLength": 1,
                "maxLength": 64
              },
              "message": {
                "type": "string",
                "maxLength": 256
              },
              "observedGeneration": {
                "type": "integer",
                "format": "int64",
                "minimum": 0
              },
              "lastTransitionTime": {
                "type": "string",
                "format": "date-time"
              }
            }
          }
        }
      }
    }
  }
};
