/**
 * Starts something at a steady pace, some at a time, whether or not what was started before is done.
 *
 * @returns when all of it is done
 */
export async function pace(
  { perSecond, burst, seconds }: { perSecond: number; burst: number; seconds: number },
  start: () => Promise<void>,
): Promise<void> {
  const begun = performance.now()
  const total = Math.round((perSecond * seconds) / burst) * burst
  const running: Promise<void>[] = []
  while (running.length < total) {
    const bursts = 1 + Math.floor(((performance.now() - begun) / 1_000) * (perSecond / burst))
    while (running.length < Math.min(total, bursts * burst)) running.push(start())
    await Bun.sleep(1)
  }
  await Promise.all(running)
}
