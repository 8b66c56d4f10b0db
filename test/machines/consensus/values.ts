export { epoch, height, logTime, memberIndex, view } from "../../../src/base/brands.ts";
export { ZERO_DIGEST as ZERO } from "../../../src/base/bytes.ts";
