# `npm run build` first: the image holds its bundle and the Node that the lockfile pins, and runs no npm.
# The tools by themselves, because tests run with them, too.
FROM debian:trixie-slim AS tools

RUN apt-get update \
 && apt-get install -y --no-install-recommends iptables nftables ipset ipvsadm iproute2 conntrack kmod \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* /var/log/* /usr/share/man/* /usr/share/locale/* \
 && find /usr/share/doc -type f ! -name copyright -delete

FROM tools

# x64 or arm64
ARG NODE_ARCH=x64
COPY node_modules/node-linux-${NODE_ARCH}/bin/node /usr/local/bin/node
COPY dist/ /opt/proxyconfig/
# As `kubectl proxyconfig` too, for anyone who copies the program out of the image.
RUN ln -s /opt/proxyconfig/proxyconfig.js /usr/local/bin/proxyconfig \
 && ln -s proxyconfig /usr/local/bin/kubectl-proxyconfig

# One heap of glibc's for all threads instead of one for each: 6 MB less, and no slower (measured).
ENV MALLOC_ARENA_MAX=1

LABEL org.opencontainers.image.title="proxyconfig-operator" \
      org.opencontainers.image.description="Replaces kube-proxy: operator, agent and command line" \
      org.opencontainers.image.licenses="Apache-2.0"

# DEP0040: a dependency of the operator's base library still loads Node's punycode; the warning would not be a line of JSON.
# A small young generation: an agent holds little, and what a full sync leaves behind stays in memory otherwise (measured by npm run bench).
ENTRYPOINT ["/usr/local/bin/node", "--disable-warning=DEP0040", "--max-semi-space-size=1", "/opt/proxyconfig/proxyconfig.js"]
CMD ["--help"]
