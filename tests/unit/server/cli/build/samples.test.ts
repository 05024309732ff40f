import { describe, expect, test } from 'bun:test'
import { fileURLToPath } from 'node:url'
import { collectSamples } from '../../../../../server/cli/build/samples.ts'
import { pathProblem } from '../../../../../server/services/sync/tree.ts'

const nodeModules = fileURLToPath(new URL('../../../../../node_modules', import.meta.url))

describe('collectSamples', () => {
  test('collectSamples makes plain JSON of all three, small enough to embed', async () => {
    const samples = await collectSamples(nodeModules)
    const text = JSON.stringify(samples)
    expect(JSON.parse(text)).toEqual(samples)
    expect(text.length).toBeLessThan(1_500_000)
    const { sync, analysis, matching } = samples
    expect(sync?.files.length).toBeGreaterThan(200)
    expect(analysis?.length).toBeGreaterThan(30)
    expect(matching?.left.text).toStartWith('"Code","Name"')
    expect(matching?.right.text).toStartWith('code,name\r\nAF,Afghanistan\r\n')
    const paths = [...(sync?.files ?? []), ...(analysis ?? [])].map(({ path }) => path)
    expect(paths.filter((path) => pathProblem(path))).toEqual([])
    // So that the demo has something to skip, something that fails, and mostly something to copy.
    const present = new Set(sync?.present)
    const large = sync?.files.filter(({ path, text }) => text.length > 32_000 && !present.has(path)).length
    expect([present.size > 30, large]).toEqual([true, 3])
  })

  test('collectSamples leaves out what is not installed', async () => {
    expect(await collectSamples('/nowhere')).toEqual({})
  })
})
