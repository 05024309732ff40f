import { describe, expect, test } from 'bun:test'
import { collectSamples } from '../../../../../server/cli/build/samples.ts'
import { samples as built } from '../../../../../server/generated/samples.ts'
import { noControl } from '../../../../../server/jobs/emitter.ts'
import { analyseTexts } from '../../../../../server/services/analysis/analysis.ts'
import { createServices } from '../../../../../server/services/index.ts'
import { pathProblem } from '../../../../../server/services/kit/path-problem.ts'
import { toFile } from '../../../../../server/services/kit/samples.ts'
import { matchRecords } from '../../../../../server/services/matching/matching.ts'

const samples = await collectSamples()
const jobId = 'job'

describe('collectSamples', () => {
  test('collectSamples makes plain JSON, small enough to embed, of nothing but the sources', async () => {
    const text = JSON.stringify(samples)
    expect(JSON.parse(text)).toEqual(samples)
    expect(built).toEqual(samples)
    expect(text.length).toBeLessThan(300_000)
    expect([samples.texts.length, samples.present.length]).toEqual([12 + 154, 33])
    const paths = samples.texts.map(({ path }) => path)
    expect(paths.filter((path) => pathProblem(path) ?? /[<>:"\\|?*]/.test(path))).toEqual([])
    expect(paths.slice(0, 2)).toEqual([
      'Alice in Wonderland/01 Down the Rabbit-Hole.txt',
      'Sonnets/001 From fairest creatures we desire increase.txt',
    ])
  })

  test('collectSamples gives a sync something to copy, something to skip and something that fails', async () => {
    const form = new FormData()
    form.set('sample', 'true')
    const work = await createServices({ samples }).sync?.prepare(form)
    expect(await work?.run(jobId, noControl)).toMatchObject({ copied: 130, skipped: 33, failed: 3 })
  })

  test('collectSamples gives an analysis prose: its commonest words are English, and a chapter is known by what it is about', async () => {
    const { top, table } = await analyseTexts(samples.texts.map(toFile), { jobId })
    expect(top.slice(0, 5).map(({ word }) => word)).toEqual(['the', 'and', 'to', 'of', 'a'])
    expect(top.map(({ word }) => word)).toEqual(expect.arrayContaining(['alice', 'thou']))
    const typical = table.filter(({ name }) => name.startsWith('Alice')).map(({ typical }) => typical)
    expect(typical).toEqual(expect.arrayContaining(['mouse', 'caterpillar', 'dormouse', 'turtle']))
  })

  test('collectSamples gives a matching countries, most of which have a name in each list', async () => {
    const { left, right } = samples.lists
    const result = await matchRecords(toFile(left), toFile(right), { jobId })
    expect(result).toMatchObject({ linked: 247, exact: 222, left: { records: 252 }, right: { records: 250 } })
    expect(result.weakest.map(({ left }) => left)).toContain('Czechia')
  })
})
