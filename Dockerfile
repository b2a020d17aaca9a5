# One image with everything in it: server, worker and Redis under one supervisor.
#   docker build -t graft . && docker run -p 8080:8080 -v graft:/data graft
# With REDIS_URL it starts no Redis. With another command it is a server or a worker alone: docker-compose.yml.
# Node 22, because tfjs-node does not run on anything newer.
ARG NODE_IMAGE=docker.io/library/node:22-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /graft
COPY package.json package-lock.json .npmrc ./
# nothing that compiling needs comes from an install script
RUN npm ci --ignore-scripts
COPY tsconfig.json ./
COPY src src
RUN npx tsc -p tsconfig.json && node src/launch/setup/bundle.mjs && rm build/.tsbuildinfo

FROM ${NODE_IMAGE} AS packages
WORKDIR /graft
COPY package.json package-lock.json .npmrc ./
# `yes` trains on libtensorflow, 500 MB more, instead of WebAssembly; `trainable: all` needs it. npm drops the optional package when its
# download fails; `no` looks for it where nobody answers.
ARG TFJS_NODE=no
RUN if [ "$TFJS_NODE" = no ]; then export TFJS_NODE_CDN_STORAGE=http://127.0.0.1:9/; fi; npm ci --omit=dev
# onnxruntime-node brings the libraries of every platform
RUN find node_modules/onnxruntime-node/bin -mindepth 3 -maxdepth 3 -type d \
    ! -path "*/linux/$(node -p process.arch)" -exec rm -r {} +

FROM ${NODE_IMAGE}
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 DATA_DIR=/data
RUN apt-get update && apt-get install -y --no-install-recommends redis-server && rm -rf /var/lib/apt/lists/*
WORKDIR /graft
RUN mkdir /data && chown node:node /data
COPY --from=packages /graft/node_modules node_modules
COPY --from=build /graft/build/src build/src
COPY package.json LICENSE NOTICE ./
COPY models models
USER node
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/livez`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "build/src/bin/supervisor.js"]
