/** The process ended within a write. */
export class PowerCut extends Error {
  override readonly name = "PowerCut";
}
