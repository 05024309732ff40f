import { type ProgressReading, percentage, sizeOf, type Tool } from './reading.ts'

const TQDM =
  /^(?:(.+?): +)?(?:\d+%(?:\|[^|]*\|)? +)?([\d.]+[kMGTP]?)(?:\/([\d.]+[kMGTP]?) \[|it \[|([A-Za-z]\w*) \[)[\d:?]+(?:<[^,\]]*)?,\s+(?:[\d.?]+[kMGTP]?([^\s/\],]+)\/s|[\d.?]+s\/([^\],]+))/

/** The bars of tqdm, one inside another, too. */
export const tqdm: Tool = {
  name: 'tqdm',
  understands: 'amount, total, unit and description; bars inside others are steps',
  isLogged: false,
  start: () => (line) => {
    const found = TQDM.exec(line.text)
    if (!found) return undefined
    const [, label, count = '', all, ownUnit, perSecond, perUnit] = found
    const unit = ownUnit ?? perSecond ?? perUnit ?? 'it'
    // Prefixes of unit_scale; its unit_divisor is 1,000 by default.
    const done = sizeOf(count, 1_000)
    const total = all === undefined ? undefined : sizeOf(all, 1_000)
    if (line.isBelow) return { step: { id: label ?? 'Inner', done, total } }
    return { done, total, unit: unit === 'B' ? 'bytes' : unit === 'it' ? undefined : unit, message: label }
  },
}

/** Seconds of `00:01:40.52`. */
function secondsOf(time: string): number {
  return time.split(':').reduce((seconds, part) => seconds * 60 + Number(part), 0)
}

/** The status line of ffmpeg and the blocks of `-progress`. */
export const ffmpeg: Tool = {
  name: 'ffmpeg',
  understands: 'its status line and `-progress`: seconds of the output, and of the longest input as the total',
  isLogged: false,
  start() {
    let total: number | undefined
    let isBlock = false
    return ({ text }) => {
      const [, duration] = /^ {2}Duration: (\d+:\d+:[\d.]+),/.exec(text) ?? []
      if (duration !== undefined) {
        total = Math.max(total ?? 0, secondsOf(duration))
        return undefined
      }
      const [, time] =
        /^(?:frame=.*?|size=.*?)\btime=(\d+:\d+:[\d.]+) bitrate=/.exec(text) ??
        /^out_time=(\d+:\d+:[\d.]+)$/.exec(text) ??
        []
      if (time !== undefined) {
        const done = secondsOf(time)
        return { done: total === undefined ? done : Math.min(done, total), total, unit: 'seconds' }
      }
      if (/^frame=\s*\d+$|^out_time_us=/.test(text)) isBlock = true
      else if (/^progress=(?:continue|end)$/.test(text)) return {}
      return isBlock &&
        /^(?:frame|fps|stream_\d+_\d+_\w+|bitrate|total_size|out_time\w*|\w+_frames|speed)=\s*\S+$/.test(text)
        ? {}
        : undefined
    }
  },
}

/** The counters that ninja and the Makefiles of CMake write before each line. */
export const builds: Tool = {
  name: 'ninja, cmake',
  understands: '`[12/345]` and `[ 45%]` at the start of a line; the targets that ninja calls FAILED',
  isLogged: true,
  start: () => (line) => {
    const [, done, total, text] = /^\[(\d+)\/(\d+)\] (.*)$/.exec(line.text) ?? []
    if (done !== undefined) return { done: Number(done), total: Number(total), unit: 'steps', message: text }
    const [, percent, target] = /^\[ *(\d+)%\] (.*)$/.exec(line.text) ?? []
    if (percent !== undefined) return percentage(percent, target)
    return !line.isOpen && /^FAILED: \S/.test(line.text) ? { error: line.text } : undefined
  },
}

/** Results of pytest in short: passed, failed, error, skipped, xfailed, xpassed. */
const DOTS = /^(?:\S+\.py )?([.FEsxX]+)(?:\s+\[ *\d+%\])?$/
const NAMED = /^(?:\[gw\d+\] \[ *\d+%\] )?(?:\S+::.+? )?(PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS)\b/
const SUMMARY = /^=* ?((?:\d+ [a-z]+(?:, )?)+) in [\d.]+s\b/

/** The dots of pytest, its lines with `-v`, and its summary. */
export const pytest: Tool = {
  name: 'pytest',
  understands: 'tests done and failed, by its dots and by `-v`; its summary of failures; the total where it says it',
  isLogged: true,
  start() {
    let total: number | undefined
    let isRunning = false
    let done = 0
    let failed = 0
    let isSummary = false
    const state = (more: readonly string[]): ProgressReading => ({
      done: done + more.length,
      total,
      unit: 'tests',
      failed: failed + more.filter((result) => /^[FE]/.test(result)).length,
    })
    const count = (more: readonly string[], isOpen: boolean) => {
      const reading = state(more)
      if (!isOpen) {
        done += more.length
        failed = reading.failed ?? failed
      }
      return reading
    }
    return ({ text, isOpen, isDrawn }) => {
      const [, collected] = /^(?:collecting \.\.\. )?collected (\d+) items?/.exec(text) ?? []
      if (collected !== undefined) {
        total = Number(collected)
        isRunning = true
        done = 0
        failed = 0
        return state([])
      }
      // With -q there is no such line.
      if (!isRunning && /^[.FEsxX]{8,}\s+\[ *\d+%\]$/.test(text)) isRunning = true
      if (/^=+ short test summary info =+$/.test(text)) isSummary = true
      else if (isSummary && !isOpen && /^(?:FAILED|ERROR) \S/.test(text)) return { error: text.replace(/^FAILED /, '') }
      const [, counts] = SUMMARY.exec(text) ?? []
      if (counts !== undefined && (isRunning || isSummary) && !isOpen) {
        isSummary = false
        isRunning = false
        return summaryOf(counts, total)
      }
      if (!isRunning || isDrawn) return undefined
      if (/^=+ (?:FAILURES|ERRORS|short test summary info|warnings summary) =+$/.test(text)) {
        isRunning = false
        return undefined
      }
      const [, dots] = DOTS.exec(text) ?? []
      if (dots !== undefined) return count([...dots], isOpen)
      const [, result] = NAMED.exec(text) ?? []
      return result === undefined ? undefined : count([result === 'ERROR' ? 'E' : result], isOpen)
    }
  },
}

/** `2 failed, 33 passed, 1 skipped` as progress. */
function summaryOf(counts: string, total: number | undefined): ProgressReading | undefined {
  const of = Object.fromEntries(counts.split(', ').map((part) => part.split(' ').reverse()))
  const number = (...names: string[]) => names.reduce((sum, name) => sum + Number(of[name] ?? 0), 0)
  const failed = number('failed', 'error', 'errors')
  const succeeded = number('passed', 'xfailed', 'xpassed', 'skipped')
  const done = failed + succeeded
  return done === 0
    ? undefined
    : { done, total: Math.max(total ?? 0, done), unit: 'tests', failed, succeeded, message: counts }
}

/** What npm says: its spinner tells nothing, and newer versions have no bar. */
export const npm: Tool = {
  name: 'npm',
  understands: 'its summary; packages fetched with `--loglevel http`',
  isLogged: true,
  start() {
    let done = 0
    return ({ text, isOpen }) => {
      if (isOpen) return undefined
      if (/^npm (?:http|HTTP) (?:fetch GET 200|cache) \S+\.tgz\b/.test(text)) {
        done += 1
        return { done, unit: 'packages' }
      }
      const [summary] = /^(?:added|removed|changed|up to date)\b.*(?:packages?|in \d+m?s).*$/.exec(text) ?? []
      if (summary === undefined) return undefined
      const [, added] = /\badded (\d+) packages?/.exec(summary) ?? []
      return added === undefined
        ? { message: summary }
        : { done: Number(added), total: Number(added), unit: 'packages', message: summary }
    }
  },
}

const PERCENT = /(?:^|[^\d.,/])(\d{1,3}(?:\.\d+)?) ?%/
const PART = /(?:^|[\s([:])(\d+) ?\/ ?(\d+)(?=$|[\s)\],;:])/
/** Frames and fills of bars. */
const FILL = /[[(|]?[\u2500-\u259f#=>*<~-]{3,}[^\]|)]*[\]|)]?/gu

/** Bars of any other program. */
export const anyBar: Tool = {
  name: 'others',
  understands: 'a percentage or `n/m` in a line that is drawn over itself, with a carriage return',
  isLogged: false,
  start: () => (line) => {
    if (!line.isDrawn) return undefined
    const [, percent] = PERCENT.exec(line.text) ?? []
    const [, done, total] = PART.exec(line.text) ?? []
    const message = line.text.replace(FILL, ' ').replaceAll(/\s+/g, ' ').trim().slice(0, 200) || undefined
    const share = total === undefined ? Number.NaN : (Number(done) / Number(total)) * 100
    // Of both, the numbers are more exact, if they are the same share.
    const isPart = share <= 100 && (percent === undefined || Math.abs(share - Number(percent)) < 2)
    if (isPart) return { done: Number(done), total: Number(total), message }
    return percent === undefined || Number(percent) > 100 ? undefined : percentage(percent, message)
  },
}
