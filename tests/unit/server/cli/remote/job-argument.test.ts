import { describe, expect, test } from 'bun:test'
import { readJobAddress } from '../../../../../server/cli/remote/job-argument.ts'
import { ConfigError } from '../../../../../server/config.ts'

describe('readJobAddress', () => {
  const idIn = async (argument: string) => {
    const env = { MILEPOST_TOKEN: 'a-token', MILEPOST_URL: 'https://jobs.example/' }
    return (await readJobAddress([argument], {}, env, 'milepost watch JOB')).id
  }

  test('readJobAddress takes an id, the address of a page and that of the API', async () => {
    expect(await idIn('export-7')).toBe('export-7')
    expect(await idIn('https://jobs.example/jobs/acme%3A%3Aexport-7')).toBe('acme::export-7')
    expect(await idIn('https://jobs.example/api/jobs/export-7/progress')).toBe('export-7')
  })

  test('readJobAddress refuses an address that was cut in the middle of a character, and says what to do', async () => {
    const refused = await idIn('https://jobs.example/jobs/acme%3A%3').catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(ConfigError)
    expect(String(refused)).toContain('https://jobs.example/jobs/acme%3A%3 is no address of a job. Copy it')
  })
})
