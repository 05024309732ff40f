import { parseArgs } from 'node:util'
import { describeAge, describeJob } from '../../../client/text/words.ts'
import { type JobHeader, jobStatuses } from '../../../shared/document/job.ts'
import { isJob } from '../../../shared/wire/answers.ts'
import type { JobList } from '../../../shared/wire/api.ts'
import { jobsPath } from '../../../shared/wire/paths.ts'
import { ConfigError } from '../../config.ts'
import { accessFlags, accessUsage, everything, readAccess, refuseToken, request } from './access.ts'
import { englishFormat, fit, pad, plain, printableJson } from './plain-text.ts'

const jobsUsage = `milepost jobs [--status STATUS] [--kind KIND] [--parent JOB] [--limit 20] [--all] [--json] [--url URL] [--token-file FILE]

Lists jobs, newest first: state, progress, id, title and age. STATUS is ${jobStatuses.join(', ')}. --all lists everyone's, for
tokens with jobs:admin. --json prints a job a line, as the API has it.

${accessUsage}`

/** Jobs in one request. */
const PAGE = 100
const MOST = 10_000
/** The columns of the table, but for the title. */
const STATE_COLUMNS = 11
const SHARE_COLUMNS = 6
const DEFAULT_COLUMNS = 100
const LEAST_TITLE_COLUMNS = 12

const isJobList = (body: unknown): body is JobList => {
  const { jobs } = Object(body)
  return Array.isArray(jobs) && jobs.every(isJob)
}

/** Runs `milepost jobs`. @returns the text to print. @throws ConfigError for wrong arguments, and for what the server refuses */
export async function printJobs(args: string[], env: Readonly<Record<string, string | undefined>>): Promise<string> {
  refuseToken(args)
  const { values } = parseArgs({
    args,
    options: {
      ...accessFlags,
      status: { type: 'string' },
      kind: { type: 'string' },
      parent: { type: 'string' },
      limit: { type: 'string', default: '20' },
      all: { type: 'boolean' },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) return jobsUsage
  const limit = Number(values.limit)
  if (!Number.isInteger(limit) || limit < 1 || limit > MOST) {
    throw new ConfigError(`Give --limit a whole number from 1 to ${MOST}.`)
  }
  const access = await readAccess(values, env, values.all ? everything : 'jobs:read')
  const query = new URLSearchParams(values.all ? { owner: '*' } : {})
  for (const name of ['status', 'kind', 'parent'] as const) {
    const value = values[name]
    if (value !== undefined) query.set(name, value)
  }
  const jobs: JobHeader[] = []
  for (let cursor: string | undefined = ''; cursor !== undefined && jobs.length < limit; ) {
    query.set('limit', `${Math.min(PAGE, limit - jobs.length)}`)
    if (cursor) query.set('cursor', cursor)
    const page: JobList = await request(access, 'GET', `${jobsPath}?${query}`, isJobList)
    jobs.push(...page.jobs)
    cursor = page.nextCursor
  }
  if (values.json) return jobs.map(printableJson).join('\n')
  return jobs.length === 0 ? 'No jobs.' : tableOf(jobs, Date.now(), process.stdout.columns || DEFAULT_COLUMNS)
}

/** Jobs as a table of lines, none of them wider than the terminal unless the ids are. */
function tableOf(jobs: readonly JobHeader[], now: number, columns: number): string {
  const idColumns = Math.max(...jobs.map(({ id }) => id.length))
  const rows = jobs.map((job) => {
    const { chip = '', percent } = describeJob({ job, connection: 'live', now }, englishFormat)
    const share = percent === undefined || job.status === 'completed' ? '' : englishFormat.percent(percent)
    const age = describeAge(job, now, englishFormat)
    const start = `${pad(chip, STATE_COLUMNS)} ${share.padStart(SHARE_COLUMNS)}  ${pad(plain(job.id), idColumns)}  `
    const room = Math.max(LEAST_TITLE_COLUMNS, columns - Bun.stringWidth(start) - age.length - 2)
    return { start, title: plain(job.title), age, room }
  })
  const titleColumns = Math.min(
    Math.max(...rows.map(({ title }) => Bun.stringWidth(title))),
    Math.min(...rows.map(({ room }) => room)),
  )
  return rows
    .map(({ start, title, age }) => `${start}${pad(fit(title, titleColumns), titleColumns)}  ${age}`)
    .join('\n')
}
