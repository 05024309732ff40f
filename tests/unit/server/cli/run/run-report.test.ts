import { describe, expect, test } from 'bun:test'
import { RunReport } from '../../../../../server/cli/run/run-report.ts'
import { VirtualClock } from '../../../../virtual-clock.ts'

function report(command = ['make']) {
  const events: [type: string, fields: Record<string, unknown>][] = []
  const add = (type: string) => (fields: object) => void events.push([type, { ...fields }])
  const clock = new VirtualClock()
  const job = {
    progress: add('progress'),
    status: add('status'),
    step: add('step'),
    error: add('error'),
    log: add('log'),
  }
  const run = new RunReport(job, command, clock)
  const take = (text: string, source = 1) => run.take(new TextEncoder().encode(text), source)
  const log = () => events.filter(([type]) => type === 'log').map(([, { message }]) => message)
  return { run, take, events, log, clock }
}

describe('RunReport', () => {
  test('RunReport reports lines as the log, and progress without what the bar before had', () => {
    const { take, events } = report()
    take('hello\n[1/2] CC a.o\n')
    take('\r 45%\r 45%\r')
    expect(events).toEqual([
      ['progress', { done: 1, total: 2, unit: 'steps', message: 'CC a.o', succeeded: null, failed: null }],
      ['log', { message: 'hello' }],
      ['log', { message: '[1/2] CC a.o' }],
      ['progress', { done: 45, total: 100, unit: '%', message: '45%', succeeded: null, failed: null }],
    ])
  })

  test('RunReport ends a job as its command ended, with the last lines of a failure', () => {
    const { take, run, events } = report()
    take('compiling\nno such file')
    run.end({ exitCode: 2, isCancelled: false })
    expect(events.slice(-2)).toEqual([
      ['error', { message: 'compiling\nno such file', code: 'exit-2' }],
      ['status', { status: 'failed', message: 'Exit code 2: no such file', result: { exitCode: 2 } }],
    ])
    const other = report()
    other.run.end({ exitCode: 143, isCancelled: true })
    expect(other.events).toEqual([['status', { status: 'cancelled', result: { exitCode: 143 } }]])
  })

  test('RunReport leaves lines out above its rate, counts them, and has the last ones in the end', async () => {
    const { take, run, log, clock } = report()
    for (let line = 0; line < 1_000; line++) take(`line ${line}\n`)
    expect(log()).toHaveLength(200)
    await clock.advance(1_000)
    take('later\n')
    expect(log().slice(-2)).toEqual(['… 800 lines left out', 'later'])
    for (let line = 0; line < 1_000; line++) take(`more ${line}\n`)
    run.end({ exitCode: 1, isCancelled: false })
    expect(log().slice(-21)).toEqual([
      '… 961 lines left out',
      ...Array.from({ length: 20 }, (_, at) => `more ${980 + at}`),
    ])
  })

  test('RunReport reads no more than a part of a flood, and its end', () => {
    const { take, run, log, events } = report()
    const flood = 'y\n'.repeat(32_768)
    for (let piece = 0; piece < 100; piece++) take(flood)
    take('the reason\n'.repeat(3_000))
    run.end({ exitCode: 1, isCancelled: false })
    expect(log().length).toBeLessThan(300)
    expect(log().at(-1)).toBe('the reason')
    expect(events.at(-1)?.[1]).toMatchObject({ message: 'Exit code 1: the reason' })
  })

  test('RunReport has no lines of data', () => {
    const { take, log } = report()
    take('PK\u0003\u0004\u0000\u0000\nabc\n', 1)
    take('def\n', 1)
    take('a message\n', 2)
    expect(log()).toEqual(['a message'])
  })

  test('RunReport reports 50 bars inside others as steps, and no more', () => {
    const { take, events } = report()
    for (let bar = 0; bar < 100; bar++) take(`\rE ${bar}:  50%|#####     | 4/8 [00:00<00:00, 19.37it/s]\u001b[A`)
    expect(events.filter(([type]) => type === 'step')).toHaveLength(50)
    expect(events[0]).toEqual(['step', { id: 'E 0', status: 'running', done: 4, total: 8 }])
  })
})
