/** For programs that print as they go. */

/** Whoever reads may stop reading ("… | head"): then the program ends, and has failed in nothing. */
export function endAtClosedPipe(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 3));
}
