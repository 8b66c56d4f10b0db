/** How many of n members are enough, and how many may be faulty (DESIGN §4): the same for votes, certificates and proofs. */

/** f: how many of n members may be faulty. */
export const faultsTolerated = (size: number): number => Math.floor((size - 1) / 3);

/** q = n − f distinct members make a certificate; never "2f + 1", which differs when n ≠ 3f + 1 (DESIGN §4). */
export const quorumOf = (size: number): number => size - faultsTolerated(size);
