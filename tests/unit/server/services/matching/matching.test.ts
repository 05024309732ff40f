import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { setJobEvents } from '../../../../../server/jobs/emitter.ts'
import { formatCsv } from '../../../../../server/services/matching/csv.ts'
import { type Link, matchRecords } from '../../../../../server/services/matching/matching.ts'
import type { Clock } from '../../../../../shared/time/clock.ts'
import { VirtualClock } from '../../../../virtual-clock.ts'
import { finish, Recorder } from '../recorder.ts'

const packages = new URL('../../../../../node_modules/', import.meta.url)
const json = (path: string) => Bun.file(new URL(path, packages)).json()

const jobId = 'job'
const csv = (name: string, text: string) => new File([text], name)

let recorder: Recorder
let clock: VirtualClock
beforeEach(() => {
  recorder = new Recorder()
  clock = new VirtualClock()
})
afterEach(() => setJobEvents(undefined))

/** Names by the code of what they stand for. */
type Names = [code: string, name: string][]

async function countriesList(): Promise<Names> {
  const countries: Record<string, { name: string }> = await json('countries-list/countries.min.json')
  return Object.entries(countries).map(([code, { name }]) => [code, name])
}

async function isoCountries(): Promise<Names> {
  const { countries }: { countries: Record<string, string | string[]> } = await json('i18n-iso-countries/langs/en.json')
  return Object.entries(countries).map(([code, name]) => [code, [name].flat()[0] ?? ''])
}

async function cldrTerritories(): Promise<Names> {
  const { main } = await json('cldr-localenames-full/main/en/territories.json')
  const territories: Record<string, string> = main.en.localeDisplayNames.territories
  return Object.entries(territories).filter(([code]) => /^[A-Z]{2}$/.test(code))
}

/** Links two lists by their names, and measures that by their codes. */
async function measure(left: Names, right: Names): Promise<{ f1: number; wrong: string[] }> {
  const links: Link[] = []
  const file = (names: Names) => csv('names.csv', formatCsv([['name'], ...names.map(([, name]) => [name])]))
  const onLink = (link: Link) => links.push(link)
  await matchRecords(file(left), file(right), { jobId, clock, onLink })
  // Row 1 is the header.
  const code = (names: Names, row: number) => names[row - 2]?.[0]
  const wrong = links.filter((link) => code(left, link.left.row) !== code(right, link.right.row))
  const known = new Set(right.map(([code]) => code))
  const truth = left.filter(([code]) => known.has(code)).length
  const right1 = links.length - wrong.length
  return {
    f1: (2 * right1) / (links.length + truth),
    wrong: wrong.map((link) => `${link.left.name} is not ${link.right.name}`),
  }
}

describe('matchRecords', () => {
  test('matchRecords links the countries of countries-list and i18n-iso-countries with an F1 of 0.99 or more', async () => {
    const { f1, wrong } = await measure(await countriesList(), await isoCountries())
    console.log(`F1 of countries-list and i18n-iso-countries: ${f1.toFixed(4)}`, wrong)
    expect(f1).toBeGreaterThanOrEqual(0.99)
  })

  test('matchRecords links the countries of i18n-iso-countries and CLDR with an F1 of 0.98 or more', async () => {
    const { f1, wrong } = await measure(await isoCountries(), await cldrTerritories())
    console.log(`F1 of i18n-iso-countries and cldr-localenames-full: ${f1.toFixed(4)}`, wrong)
    expect(f1).toBeGreaterThanOrEqual(0.98)
  })

  test('matchRecords reports each record of the left list, with what it was linked to and how sure that is', async () => {
    const left = csv('left.csv', 'id,name\n1,Côte d’Ivoire\n2,Syria\n3,Atlantis\n4,\n5,"Virgin Islands, U.S."\n')
    const right = csv(
      'right.csv',
      '\ufeffName;Code\r\n"Cote d\'Ivoire";CI\r\nSyrian Arab Republic;SY\r\nU.S. Virgin Islands;VI\r\nPeru;PE\r\n',
    )
    const result = await matchRecords(left, right, { jobId, clock })
    expect(result).toEqual({
      left: { name: 'left.csv', records: 5 },
      right: { name: 'right.csv', records: 4 },
      linked: 3,
      exact: 1,
      weakest: [
        { left: 'Syria', right: 'Syrian Arab Republic', confidence: 64 },
        { left: 'Côte d’Ivoire', right: "Cote d'Ivoire", confidence: 100 },
        { left: 'Virgin Islands, U.S.', right: 'U.S. Virgin Islands', confidence: 100 },
      ],
      unlinkedLeft: ['Atlantis', '(row 5, no name)'],
      unlinkedRight: ['Peru'],
    })
    const { items, progress, steps } = recorder.document()
    expect(items.map(({ version, index, ...item }) => item)).toEqual([
      {
        id: 'row 2',
        status: 'succeeded',
        label: 'Côte d’Ivoire',
        progress: 100,
        message: "Cote d'Ivoire (100\u00a0%)",
      },
      { id: 'row 3', status: 'succeeded', label: 'Syria', progress: 64, message: 'Syrian Arab Republic (64\u00a0%)' },
      { id: 'row 4', status: 'skipped', label: 'Atlantis', message: 'No name in the other list is like it' },
      { id: 'row 5', status: 'skipped', label: '(row 5, no name)', message: 'No name in the other list is like it' },
      {
        id: 'row 6',
        status: 'succeeded',
        label: 'Virgin Islands, U.S.',
        progress: 100,
        message: 'U.S. Virgin Islands (100\u00a0%)',
      },
    ])
    // While the others are compared, each says what it is most like.
    const found = recorder.of('item').filter(({ status, message }) => status === 'running' && message !== undefined)
    expect(found.map(({ id, message }) => `${id}: ${message}`)).toContain('row 3: Syrian Arab Republic (64\u00a0%)')
    expect(progress).toEqual({ done: 5, total: 5, unit: 'records' })
    expect(steps.map(({ id, status }) => `${id} ${status}`)).toEqual([
      'read succeeded',
      'index succeeded',
      'compare succeeded',
      'link succeeded',
      'report succeeded',
    ])
  })

  test('matchRecords links no record twice, even where names are', async () => {
    const links: Link[] = []
    const onLink = (link: Link) => links.push(link)
    const list = csv('list.csv', 'name\nAda\nAda\nAda\n')
    await matchRecords(list, csv('other.csv', 'name\nAda\nAda\n'), { jobId, clock, onLink })
    expect(links.map(({ left, right }) => [left.row, right.row])).toEqual([
      [2, 2],
      [3, 3],
    ])
  })

  test('matchRecords rejects a list that is broken further down than anyone looked', async () => {
    const broken = csv('broken.csv', 'name\nAda\n"Grace\n')
    const matching = matchRecords(csv('list.csv', 'name\nAda\n'), broken, { jobId, clock })
    await expect(matching).rejects.toThrow('broken.csv: Line 3: a quoted field is never closed.')
    expect(recorder.steps()).toMatchObject({ read: 'failed', compare: 'pending' })
  })

  test('matchRecords rejects a list of more than 50,000 records', async () => {
    const long = csv('long.csv', `name\n${'a\n'.repeat(50_001)}`)
    const matching = matchRecords(long, csv('list.csv', 'name\nAda\n'), { jobId, clock })
    await expect(matching).rejects.toThrow('long.csv: It has over 50,000 records')
  })

  test('matchRecords stops between two records when the job is cancelled', async () => {
    const names = Array.from({ length: 1_000 }, (_, place) => `name ${place}`).join('\n')
    const list = csv('list.csv', `name\n${names}\n`)
    const run = recorder.emitter.run(jobId, (control) => {
      const untilResumed = async () => {
        if (recorder.document().items.length === 3) recorder.ask(true, false)
        await control.untilResumed()
      }
      return matchRecords(list, list, { jobId, clock, control: { signal: control.signal, untilResumed } })
    })
    await finish(run, clock)
    expect(recorder.document()).toMatchObject({ status: 'cancelled' })
    expect(recorder.document().items).toHaveLength(3)
    expect(recorder.steps()).toMatchObject({ compare: 'running', link: 'pending' })
  })

  test('matchRecords lets others run, wherever its work is, and however little there is in a list', async () => {
    // A turn is over whenever anyone looks at this clock: what is counted are the places where others could run.
    let at = 0
    const yields: Record<string, number> = {}
    const busy: Clock = {
      now: () => {
        at += 20
        return at
      },
      monotonic: () => at,
      setTimeout(run, ms) {
        const [step = ''] = Object.entries(recorder.steps()).find(([, status]) => status === 'running') ?? []
        yields[step] = (yields[step] ?? 0) + 1
        return clock.setTimeout(run, ms)
      },
      clearTimeout: (timer) => clock.clearTimeout(timer),
    }
    const names = Array.from({ length: 50 }, (_, place) => `name ${place}`).join('\n')
    const blank = csv('blank.csv', `${'\n'.repeat(300_000)}name\n${names}`)
    await finish(matchRecords(blank, csv('names.csv', `name\n${names}`), { jobId, clock: busy }), clock)
    // The blank lines are 19 pieces.
    expect(yields.read).toBeGreaterThanOrEqual(19 + 100)
    expect(yields).toMatchObject({ index: 100, compare: 50 })
    expect(yields.link).toBeGreaterThanOrEqual(50)
  })

  test('matchRecords works the same when nothing is wired', async () => {
    setJobEvents(undefined)
    const list = csv('list.csv', 'name\nAda\n')
    expect(await matchRecords(list, list, { jobId })).toMatchObject({ linked: 1, exact: 1 })
    expect(recorder.events).toEqual([])
  })
})
