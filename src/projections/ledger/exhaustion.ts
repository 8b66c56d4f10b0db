/** Errors that depend on the machine, told from those that every replica meets alike. */

/** What V8 says when stack or memory is at an end; a RangeError with other words is about a value, and so about the command. */
const EXHAUSTED =
  /call stack|allocation failed|out of memory|invalid (?:string|array|array buffer|typed array) length/i;

/** Whether stack or memory was at an end: replicas could differ, so the process ends (DESIGN §4). */
export const isExhaustion = (error: unknown): boolean => error instanceof RangeError && EXHAUSTED.test(error.message);
