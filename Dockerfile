# syntax=docker/dockerfile:1

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
ENV SQLX_OFFLINE=true

# Builds the dependencies with empty sources: this layer is valid until Cargo.lock changes. `target` is deliberately not
# a cache mount: cargo compares file times and would take another checkout's build for this one's.
COPY Cargo.toml Cargo.lock ./
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    mkdir src && touch src/lib.rs && \
    echo 'fn main() {}' | tee src/main.rs src/build.rs && \
    cargo build --release --locked

COPY . .
ARG REVISION=unknown
# Otherwise the empty sources would be newer than the real ones.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    touch src/*.rs && \
    BUILD_REVISION=$REVISION cargo build --release --locked && \
    mkdir data

# Contains CA certificates for the provider's TLS, but no shell and no package manager.
FROM gcr.io/distroless/cc-debian12:nonroot
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Aftercall" \
      org.opencontainers.image.description="Submits recordings to RingCentral's Interaction Analytics API and stores the insights, durable and searchable." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"

COPY --from=build /src/target/release/aftercall /aftercall
# A volume mounted here gets its owner from this folder.
COPY --from=build --chown=65532:65532 /src/data /data
ENV AFTERCALL_DATA_DIR=/data
# Settings files: mount them as /etc/aftercall/config/<AFTERCALL_ENV>.toml.
WORKDIR /etc/aftercall
USER 65532:65532

# api, webhook, ops
EXPOSE 8080 8081 9090
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["/aftercall", "healthcheck"]
ENTRYPOINT ["/aftercall"]
CMD ["serve"]
