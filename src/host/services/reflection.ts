/** gRPC reflection (v1 and v1alpha), so that grpcurl and its like can ask a node what it serves. */
import type { Server, ServerDuplexStream, ServiceDefinition, UntypedServiceImplementation } from "@grpc/grpc-js";
import { refuse } from "../../base/result.ts";
import { errorOf } from "../../wire/status.ts";

const PATHS = [
  "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
  "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
] as const;

/** Questions of one stream are answered in order; what comes before the package is loaded waits here. */
const WAITING_MAX = 64;

/** What the reflection package does with one decoded question. */
interface Loaded {
  readonly decode: (bytes: Buffer) => unknown;
  readonly encode: (reply: unknown) => Buffer;
  readonly handler: (stream: ReflectionStream) => void;
}

/** The part of a two-way stream that the package uses. */
interface ReflectionStream {
  on(event: "data" | "end", listener: (message: unknown) => void): ReflectionStream;
  write(reply: unknown): void;
  end(): void;
}

type RawStream = ServerDuplexStream<Buffer, Buffer>;

/**
 * Adds reflection for the services named to a server. The package and the descriptors (60 ms) are loaded at the first
 * question, since most nodes are never asked.
 */
export function addReflection(server: Server, services: readonly string[]): void {
  let loading: Promise<ReadonlyMap<string, Loaded>> | undefined;
  const raw = (bytes: Buffer): Buffer => bytes;
  for (const path of PATHS) {
    const handle = (stream: RawStream): void => {
      loading ??= load(services);
      serve(
        stream,
        loading.then((found) => found.get(path)),
      );
    };
    server.register<Buffer, Buffer>(path, handle, raw, raw, "bidi");
  }
}

async function load(services: readonly string[]): Promise<ReadonlyMap<string, Loaded>> {
  const [{ loadFileDescriptorSetFromBuffer }, { ReflectionService }, { DESCRIPTORS }] = await Promise.all([
    import("@grpc/proto-loader"),
    import("@grpc/reflection"),
    import("../../wire/generated/descriptors.ts"),
  ]);
  const reflection = new ReflectionService(loadFileDescriptorSetFromBuffer(Buffer.from(DESCRIPTORS, "base64")), {
    services: [...services],
  });
  const loaded = new Map<string, Loaded>();
  reflection.addToServer({
    addService(definition: ServiceDefinition, implementation: UntypedServiceImplementation) {
      for (const [name, method] of Object.entries(definition)) {
        // The package's own types are `any` here; this is the only place that trusts them.
        const handler = implementation[name] as unknown as Loaded["handler"];
        loaded.set(method.path, { decode: method.requestDeserialize, encode: method.responseSerialize, handler });
      }
    },
  });
  return loaded;
}

/** Hands the raw messages of a stream to the package. */
function serve(stream: RawStream, loading: Promise<Loaded | undefined>): void {
  const waiting: Buffer[] = [];
  let ended = false;
  let dataListener: ((message: unknown) => void) | undefined;
  let endListener: ((message: unknown) => void) | undefined;
  let decode: Loaded["decode"] | undefined;
  const fail = (message: string): void => {
    stream.emit("error", errorOf(refuse("MALFORMED", message).refusal, 0));
  };
  const take = (bytes: Buffer): void => {
    let question: unknown;
    try {
      question = decode?.(bytes);
    } catch {
      return fail("The question is not what reflection expects; use a client of grpc.reflection.");
    }
    dataListener?.(question);
  };
  stream.on("data", (bytes: Buffer) => {
    if (decode !== undefined) return take(bytes);
    waiting.push(bytes);
    if (waiting.length >= WAITING_MAX) stream.pause();
  });
  stream.on("end", () => {
    ended = true;
    if (decode !== undefined) endListener?.(undefined);
  });
  loading.then(
    (loaded) => {
      if (loaded === undefined) return fail("Reflection is not served under this version.");
      const facade: ReflectionStream = {
        on(event, listener) {
          if (event === "data") dataListener = listener;
          else endListener = listener;
          return facade;
        },
        write: (reply) => void stream.write(loaded.encode(reply)),
        end: () => void stream.end(),
      };
      loaded.handler(facade);
      decode = loaded.decode;
      for (const bytes of waiting.splice(0)) take(bytes);
      if (ended) endListener?.(undefined);
      else stream.resume();
    },
    () => fail("Reflection could not be loaded on this node; use the published contracts."),
  );
}
