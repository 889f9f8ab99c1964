/** Full names: containerd looks a short name up under `docker.io/library/`. */
export const imageTags = {
  product: 'docker.io/library/proxyconfig-operator:dev',
  tools: 'docker.io/proxyconfig-test/tools:dev',
  testTools: 'docker.io/proxyconfig-test/test-tools:dev',
  redis: 'docker.io/proxyconfig-test/redis:dev',
  nginx: 'docker.io/proxyconfig-test/nginx:dev',
  client: 'docker.io/proxyconfig-test/client:dev',
  coredns: 'docker.io/proxyconfig-test/coredns:dev',
  pause: 'docker.io/proxyconfig-test/pause:dev',
} as const;
