import type { MethodDefinition, ServiceDefinition, UntypedServiceImplementation } from "@grpc/grpc-js";
import type { BinaryReader } from "@bufbuild/protobuf/wire";
import { decodeStrict } from "./strict-decoding.ts";

/**
 * A generated service whose requests are decoded strictly. What cannot be decoded reaches the handler as an
 * UndecodableError in place of the request, so that the handler can refuse it with a code (grpc-js alone would answer INTERNAL).
 */
export function strictService<Definition extends ServiceDefinition<UntypedServiceImplementation>>(
  definition: Definition,
): Definition {
  const strict: Record<string, MethodDefinition<unknown, unknown>> = {};
  for (const [name, method] of Object.entries(definition)) {
    // A generated requestDeserialize hands its argument to the decoder, which takes a reader as well as bytes.
    const decode = method.requestDeserialize as unknown as (reader: BinaryReader) => unknown;
    strict[name] = { ...method, requestDeserialize: (bytes: Buffer) => decodeStrict(decode, bytes) };
  }
  return strict as unknown as Definition;
}
