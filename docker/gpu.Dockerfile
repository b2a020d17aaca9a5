# The image of a worker, or a server, with an NVIDIA GPU. The host needs the driver and the NVIDIA Container Toolkit.
#   docker build -t graft-gpu -f docker/gpu.Dockerfile .
# The base brings CUDA 12 and cuDNN 9, which the CUDA provider of ONNX Runtime is built for.
ARG NODE_IMAGE=docker.io/library/node:22-bookworm-slim
ARG CUDA_IMAGE=docker.io/nvidia/cuda:12.6.3-cudnn-runtime-ubuntu24.04

FROM ${NODE_IMAGE} AS build
WORKDIR /graft
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json ./
COPY src src
RUN npx tsc -p tsconfig.json && node src/launch/setup/bundle.mjs && rm build/.tsbuildinfo

FROM ${NODE_IMAGE} AS packages
WORKDIR /graft
COPY package.json package-lock.json .npmrc ./
# On the GPU: backbones, in serving and for the features of a training. On the processor: heads and `trainable: top`, on
# WebAssembly; they take seconds to minutes. `trainable: all` is not to be had here: tfjs-node-gpu wants CUDA 11.2, which this
# base has not; a worker from the other image with TFJS_NODE=yes does it. So libtensorflow is looked for where nobody answers, and npm drops the optional package.
RUN TFJS_NODE_CDN_STORAGE=http://127.0.0.1:9/ npm ci --omit=dev
# The CUDA provider, about 400 MB from NuGet; called by hand, because npm 11 runs no install script of this package.
RUN ONNXRUNTIME_NODE_INSTALL=cuda12 node node_modules/onnxruntime-node/script/install.js
RUN find node_modules/onnxruntime-node/bin -mindepth 3 -maxdepth 3 -type d \
    ! -path "*/linux/$(node -p process.arch)" -exec rm -r {} +

FROM ${CUDA_IMAGE}
COPY --from=build /usr/local/bin/node /usr/local/bin/node
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 DATA_DIR=/data EXECUTION_PROVIDER=cuda
WORKDIR /graft
# the same user number as in the other image, because both write to one volume
RUN (userdel --remove ubuntu 2>/dev/null || true) && useradd --uid 1000 --create-home node \
  && mkdir /data && chown node:node /data
COPY --from=packages /graft/node_modules node_modules
COPY --from=build /graft/build/src build/src
COPY package.json LICENSE NOTICE ./
COPY models models
USER node
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/livez`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "build/src/bin/server.js"]
