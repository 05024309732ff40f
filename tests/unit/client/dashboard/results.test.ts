import { describe, expect, test } from 'bun:test'
import { isAnalysisResult, isMatchingResult, isSyncResult } from '../../../../client/dashboard/result/shapes.ts'
import { buildForm, missingFields } from '../../../../client/dashboard/start/form.ts'
import { type ServiceOffer, services } from '../../../../client/dashboard/start/services.ts'
import { noControl } from '../../../../server/jobs/emitter.ts'
import { createServices } from '../../../../server/services/index.ts'
import { SeededRandom } from '../../../seeded-random.ts'
import { VirtualClock } from '../../../virtual-clock.ts'
import { finish } from '../../server/services/recorder.ts'

const file = (name: string, text: string) => new File([text], name)
const chosen: Record<ServiceOffer['name'], Record<string, File[]>> = {
  sync: { source: [file('a.txt', 'A'), file('b.txt', 'B')] },
  analysis: { files: [file('a.txt', 'one two two')] },
  matching: { left: [file('l.csv', 'name\nAda\nBob\n')], right: [file('r.csv', 'name\nada\n')] },
}

/** What a service of the server makes of the dashboard's form. */
async function run(name: ServiceOffer['name']): Promise<unknown> {
  const clock = new VirtualClock()
  const service = services.find((one) => one.name === name)
  if (!service) throw new Error(`The dashboard does not offer ${name}`)
  const form = await new Response(buildForm(service, chosen[name])).formData()
  const work = await createServices({ clock, random: new SeededRandom(1) })[name]?.prepare(form)
  return finish(work?.run('job', noControl) ?? Promise.reject(new Error('No work')), clock)
}

describe('buildForm', () => {
  test('buildForm is what each service takes, and its result what the dashboard shows', async () => {
    // As results travel.
    const results = JSON.parse(JSON.stringify(await Promise.all([run('sync'), run('analysis'), run('matching')])))
    const [sync, analysis, matching] = results
    expect([isSyncResult(sync), isAnalysisResult(analysis), isMatchingResult(matching)]).toEqual([true, true, true])
    expect([isSyncResult(analysis), isAnalysisResult(matching), isMatchingResult(sync)]).toEqual([false, false, false])
    expect(sync).toMatchObject({ files: 2, copied: 2 })
  })

  test('buildForm names the files of a folder by their path within it', async () => {
    const inFolder = Object.defineProperty(file('c.txt', ''), 'webkitRelativePath', { value: 'photos/2019/c.txt' })
    const [sync] = services
    const body = new Response(buildForm(sync ?? { fields: [] }, { source: [inFolder] }))
    const form = await body.formData()
    expect(form.getAll('source').map((value) => (value instanceof File ? value.name : value))).toEqual([
      'photos/2019/c.txt',
    ])
  })
})

describe('missingFields', () => {
  test('missingFields asks for what a service can not do without', () => {
    const namesOf = (name: string, files: Record<string, File[]>) =>
      services.filter((one) => one.name === name).flatMap((one) => missingFields(one, files).map((field) => field.name))
    expect(namesOf('sync', {})).toEqual(['source'])
    expect(namesOf('matching', { left: chosen.matching.left ?? [], right: [] })).toEqual(['right'])
    expect(namesOf('analysis', chosen.analysis)).toEqual([])
  })
})
