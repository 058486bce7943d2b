# One node in a container, listening on every address, so that it asks for --insecure; a password file guards its clients:
#   docker run -p 7379:7379 -v hearsay:/data hearsay --insecure
# Other nodes must reach what it advertises (--advertise, 17379 by UDP and TCP); --join names one of them. Settings that the
# health check must know (port, password file) go in by HEARSAY_ variables.
FROM node:20-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc tsdown.config.ts tsconfig.json ./
COPY vendor ./vendor
RUN npm ci --ignore-scripts
COPY src ./src
COPY cluster ./cluster
COPY bin ./bin
RUN npm run build
RUN npm prune --omit=dev --ignore-scripts
RUN mkdir -p /data

FROM node:20-slim
ENV NODE_ENV=production HEARSAY_DATA=/data HEARSAY_BIND=0.0.0.0
# Records in huge pages, where the host's transparent_hugepage is madvise or always.
ENV GLIBC_TUNABLES=glibc.malloc.hugetlb=1
WORKDIR /app
COPY --from=build /app/package.json /app/LICENSE* ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY --from=build /app/bin ./bin
COPY --from=build --chown=10001:10001 /data /data
USER 10001:10001
VOLUME /data
EXPOSE 7379 17379/tcp 17379/udp
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s CMD ["node", "bin/hearsay.js", "ping"]
ENTRYPOINT ["node", "bin/hearsay.js", "serve"]
