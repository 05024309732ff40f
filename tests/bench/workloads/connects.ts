import { LoadJob } from '../load/job.ts'
import { Publishers } from '../load/publishers.ts'
import { Watchers } from '../load/watchers.ts'
import type { Figures, Options, Target } from '../target.ts'
import { cpuSeconds, kernelKib, residentKib } from '../usage.ts'

/** Watchers that come before the measure, so that what is loaded and compiled once is not counted. */
const FIRST = 100

/**
 * Watchers of some jobs that connect as fast as they can, and then have nothing to do: how long until each has its first state, and the
 * memory that each takes: of the process, and of the kernel for its sockets. W4, W6, S1m.
 *
 * @param options `watchers`, `jobs` that they share, one by default, `restSeconds` before memory is looked at
 */
export async function connects(
  target: Target,
  { watchers: count = 1, jobs: jobCount = 1, restSeconds = 2 }: Options,
): Promise<Figures> {
  const publishers = await Publishers.open(target, 1)
  const job = await LoadJob.create(target, publishers, 'bench')
  const jobs = await Promise.all(
    Array.from({ length: jobCount - 1 }, (_, index) => LoadJob.create(target, publishers, `bench-${index}`)),
  )
  const watchers = new Watchers(target)
  await watchers.open([job], FIRST)
  await Bun.sleep(restSeconds * 1_000)
  const before = {
    kib: residentKib(target.pid),
    kernel: kernelKib(),
    cpu: cpuSeconds(target.pid),
    at: performance.now(),
  }
  await watchers.open([job, ...jobs], count / jobCount)
  const seconds = (performance.now() - before.at) / 1_000
  const cpu = cpuSeconds(target.pid) - before.cpu
  await Bun.sleep(restSeconds * 1_000)
  const resident = residentKib(target.pid)
  return {
    seconds,
    rate: count / seconds,
    cpu: (cpu / count) * 1e6,
    kib: (resident - before.kib) / count,
    resident,
    // Both ends of each connection are on this machine.
    kernelKib: (kernelKib() - before.kernel) / count / 2,
  }
}
