/**
 * The wait before the next try: twice as long after each failure, with jitter, so that clients that failed together do not return
 * together.
 *
 * @param failures in a row; 1 after the first
 * @param firstMs the wait after the first failure, in milliseconds, before jitter
 * @param mostMs the longest wait, in milliseconds, before jitter
 * @param random in [0, 1), for jitter, which shortens the wait by up to half
 * @returns milliseconds
 */
export function backOff(failures: number, firstMs: number, mostMs: number, random: number): number {
  return Math.min(mostMs, firstMs * 2 ** (failures - 1)) * (0.5 + random / 2)
}
