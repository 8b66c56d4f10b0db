/** The two-way streams of sky.oracle.v1. */
import type { handleBidiStreamingCall } from "@grpc/grpc-js";
import type {
  CheckStreamRequest,
  CheckStreamResponse,
  WriteStreamRequest,
  WriteStreamResponse,
} from "../../wire/generated/sky/oracle/v1/oracle.ts";
import { refusalMessage, wantedHeightOf } from "../../wire/sky-graph.ts";
import { type TimedRefusal, errorOf } from "../../wire/status.ts";
import { type ServiceContext, defectOf, readerOf, undecodable } from "./call.ts";
import { assertionsOf, checkAll, freshEnough, writeBatch } from "./sky-answers.ts";
import { type Answered, pump } from "./stream.ts";

/** Batches of one stream that may be in flight: 64 batches of 1 MiB are what a member may bundle in a few blocks. */
const WRITES_IN_FLIGHT_MAX = 64;
/** Checks of one stream that may wait for a height. Those that need not wait are answered at once and are not in flight. */
const CHECKS_IN_FLIGHT_MAX = 1_024;

/** Refusals of one batch are replies, named by its correlation; only what cannot be decoded, or a stranger, ends the stream. */
export function writeStreaming(
  context: ServiceContext,
): handleBidiStreamingCall<WriteStreamRequest, WriteStreamResponse> {
  return (call) => {
    const failed = (error: unknown) => defectOf(context, error);
    pump(
      call,
      WRITES_IN_FLIGHT_MAX,
      async (request): Promise<Answered<WriteStreamResponse>> => {
        const broken = undecodable(request);
        if (broken !== undefined) return { error: errorOf(broken.refusal, context.port.height()) };
        const { correlation } = request;
        const written = await writeBatch(context, call, request);
        if (written.ok) return { reply: { correlation, outcome: { $case: "written", written: written.value } } };
        return { reply: { correlation, outcome: { $case: "refused", refused: refusalMessage(written.refusal) } } };
      },
      failed,
    );
  };
}

export function checkStreaming(
  context: ServiceContext,
): handleBidiStreamingCall<CheckStreamRequest, CheckStreamResponse> {
  const { port } = context;
  const refused = (correlation: bigint, refusal: TimedRefusal): Answered<CheckStreamResponse> => ({
    reply: { correlation, outcome: { $case: "refused", refused: refusalMessage(refusal) } },
  });
  return (call) => {
    pump(
      call,
      CHECKS_IN_FLIGHT_MAX,
      (request): Answered<CheckStreamResponse> | Promise<Answered<CheckStreamResponse>> => {
        const broken = undecodable(request);
        if (broken !== undefined) return { error: errorOf(broken.refusal, port.height()) };
        const { correlation } = request;
        // Asked for every message: a grant can be withdrawn while the stream is open.
        const caller = readerOf(context, call);
        if (!caller.ok) return { error: errorOf(caller.refusal, port.height()) };
        const assertions = assertionsOf(request);
        if (!assertions.ok) return refused(correlation, assertions.refusal);
        const checked = (): Answered<CheckStreamResponse> => ({
          reply: { correlation, outcome: { $case: "checked", checked: checkAll(context, assertions.value) } },
        });
        const wanted = wantedHeightOf(request.consistency);
        if (wanted <= port.height()) return checked();
        return freshEnough(context, call, wanted).then((fresh) =>
          fresh.ok ? checked() : refused(correlation, fresh.refusal),
        );
      },
      (error) => defectOf(context, error),
    );
  };
}
