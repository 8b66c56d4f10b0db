/** Nominal types for ids and quantities, so that a height is never passed for a view. */
declare const brand: unique symbol;
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** Position of a block in the log; genesis is 0. */
export type Height = Brand<number, "Height">;
/** Consensus round within an epoch; genesis is 0, voting starts at 1. */
export type View = Brand<number, "View">;
/** Number of a committee; the founders are epoch 0. */
export type Epoch = Brand<number, "Epoch">;
/** Position of a member in its epoch's committee. */
export type MemberIndex = Brand<number, "MemberIndex">;
/** KERI identifier in CESR text form (44 characters, code E for self-addressing). */
export type Aid = Brand<string, "Aid">;
/** KERI self-addressing digest of an event, CESR text form. */
export type Said = Brand<string, "Said">;
/** SHA-256 digest as 64 lower-case hex digits (text, so that it can key a Map and stand in a machine's context). */
export type Digest = Brand<string, "Digest">;
/** Identity of a command, 16 bytes as 32 lower-case hex digits; unique per author. */
export type CommandId = Brand<string, "CommandId">;
/** Milliseconds since 1970 as the log counts them: the header's `time`, never a node's clock. */
export type LogTime = Brand<number, "LogTime">;

export const height = (n: number): Height => n as Height;
export const view = (n: number): View => n as View;
export const epoch = (n: number): Epoch => n as Epoch;
export const memberIndex = (n: number): MemberIndex => n as MemberIndex;
export const logTime = (n: number): LogTime => n as LogTime;
