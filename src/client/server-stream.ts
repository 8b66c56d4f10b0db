/** One node's stream of answers, whichever node opens it. */
import type { ClientReadableStream, MethodDefinition, ServiceError } from "@grpc/grpc-js";
import { Metadata } from "@grpc/grpc-js";
import { errorOfService, wasSent } from "./errors.ts";
import type { Nodes, OracleStub } from "./nodes.ts";

interface Opened<Reply> {
  readonly call: ClientReadableStream<Reply>;
  readonly messages: AsyncIterator<Reply>;
  readonly first: IteratorResult<Reply>;
}

/**
 * A node that fails before its first message gives way to another; one that fails later ends the stream, since another would begin anew.
 * Units: ms since 1970. Throws: SkyError.
 */
export async function* serverStream<Request, Reply>(
  nodes: Nodes,
  { path, requestSerialize, responseDeserialize }: MethodDefinition<Request, Reply>,
  request: Request,
  deadline: number,
): AsyncGenerator<Reply> {
  const open = async (stub: OracleStub): Promise<Opened<Reply>> => {
    const call = stub.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request, new Metadata(), {
      deadline,
    });
    const messages = call[Symbol.asyncIterator]() as AsyncIterator<Reply>;
    return { call, messages, first: await nextOf(messages, call) };
  };
  const { call, messages, first } = await nodes.retrying(deadline, open);
  try {
    for (let item = first; item.done !== true; item = await nextOf(messages, call)) yield item.value;
  } finally {
    call.cancel();
  }
}

async function nextOf<T>(messages: AsyncIterator<T>, call: ClientReadableStream<T>): Promise<IteratorResult<T>> {
  try {
    return await messages.next();
  } catch (error) {
    throw error instanceof Error && "code" in error
      ? errorOfService(error as ServiceError, false, wasSent(call))
      : error;
  }
}
