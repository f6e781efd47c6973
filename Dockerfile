# Builds the browser application, then the server, then an image that holds
# the server, GDAL's and ONNX Runtime's libraries and nothing else.
FROM node:22.20-bookworm-slim AS web
WORKDIR /src/web
COPY web/package.json web/package-lock.json ./
RUN npm ci --no-audit --no-fund --ignore-scripts
COPY web ./
RUN npm run build
COPY scripts/install-onnxruntime.sh /src/scripts/
RUN /src/scripts/install-onnxruntime.sh /onnxruntime

FROM golang:1.26-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends libgdal-dev libproj-dev pkg-config && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
COPY --from=web /src/web/dist web/dist
ARG VERSION=dev
RUN go build -trimpath -buildvcs=false -ldflags "-X github.com/scarp-map/scarp/server/cli.version=$VERSION" -o /scarp .

FROM debian:12.12-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends libgdal32 libproj25 proj-data ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --home-dir /data --uid 10001 scarp
COPY --from=web /onnxruntime/libonnxruntime.so.1 /usr/local/lib/
COPY --from=build /scarp /usr/local/bin/scarp
ENV SCARP_ONNXRUNTIME=/usr/local/lib/libonnxruntime.so.1 SCARP_DATA_DIR=/data
USER scarp
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=3s CMD ["scarp", "health"]
ENTRYPOINT ["scarp"]
CMD ["serve"]
