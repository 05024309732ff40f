import { names, type ProgressReading, percentage, sizeOf, type Tool } from './reading.ts'

const CURL = /^\s*(\d+)\s+(\S+)\s+(\d+)\s+(\S+)\s+(\d+)\s+(\S+)\s+\S+\s+\S+\s+[-\d:]+\s+[-\d:]+\s+[-\d:]+\s+\S+$/

/** The meter of curl. Its sizes are rounded: 683k. */
export const curl: Tool = {
  name: 'curl',
  understands: 'its meter, for downloads and uploads, and the bar of `-#`',
  isLogged: false,
  start: () => (line) => {
    if (/^\s*% Total\s+% Received|^\s*Dload\s+Upload/.test(line.text)) return {}
    const [, , total = '', received, down = '', sent, up = ''] = CURL.exec(line.text) ?? []
    if (total === '') return undefined
    const done = sizeOf(down, 1_024) + sizeOf(up, 1_024)
    // Without a length the total is what has arrived.
    const isKnown = received !== '0' || sent !== '0'
    return { done, total: isKnown ? sizeOf(total, 1_024) : undefined, unit: 'bytes' }
  },
}

const WGET_BAR = /^(\S.*?)\s+(?:\d+%)?\[[ =+<>]+\]\s+([\d.,]+[KMGT]?)\s/
const WGET_DOTS = /^\s*(\d+)K(?: [ .,]+)(?:\s*(\d+)%)?\s+[\d.]+[KMGT]?(?:=|\s|$)/
const WGET_SAVED = /saved \[(\d+)(?:\/(\d+))?\]$/
const WGET_ROW = 50 * 1_024

/** The bar of wget, its dots, and the length that it says before. */
export const wget: Tool = {
  name: 'wget',
  understands: 'its bar on a terminal, its dots elsewhere, the length and the name of the file',
  isLogged: false,
  start() {
    let total: number | undefined
    let message: string | undefined
    return ({ text }) => {
      const length = /^Length: (?:(\d+)|unspecified)/.exec(text)
      if (length) {
        total = length[1] === undefined ? undefined : Number(length[1])
        return undefined
      }
      message = /^Saving to: [‘'"](.+)[’'"]$/.exec(text)?.[1] ?? message
      const saved = WGET_SAVED.exec(text)
      if (saved) return { done: Number(saved[1]), total: Number(saved[2] ?? saved[1]), unit: 'bytes', message }
      const bar = WGET_BAR.exec(text)
      if (bar) return { done: sizeOf(bar[2] ?? '', 1_024), total, unit: 'bytes', message: message ?? bar[1] }
      const dots = WGET_DOTS.exec(text)
      if (!dots) return undefined
      const [, before, percent] = dots
      const seen = Number(before) * 1_024 + WGET_ROW
      const done = percent !== undefined && total !== undefined ? Math.round((total * Number(percent)) / 100) : seen
      return { done, total, unit: 'bytes', message }
    }
  },
}

const RSYNC =
  /^\s*([\d,.]+[KMGT]?)\s+(\d+)%\s+[\d.,]+[kKMGT]?B\/s\s+\d+:\d\d:\d\d(?:\s+\(xfr#\d+, (?:to|ir)-chk=(\d+)\/(\d+)\))?$/

/** rsync with `--info=progress2`, which counts all files together, and with `--progress`, which counts each. */
export const rsync: Tool = {
  name: 'rsync',
  understands: '`--info=progress2`: percent and bytes; `--progress`: files done, and the name of the present one',
  isLogged: false,
  start(command) {
    const isPerFile = names(command, /rsync\b.* (?:--progress|-\w*P)\b/) && !names(command, /progress2/)
    let file = ''
    let files: ProgressReading = {}
    return ({ text, isDrawn }) => {
      const [, bytes, percent, left, all] = RSYNC.exec(text) ?? []
      if (percent === undefined) {
        if (!isDrawn) file = text
        return undefined
      }
      if (!isPerFile) return percentage(percent, `${bytes} bytes`)
      if (left !== undefined) files = { done: Number(all) - Number(left), total: Number(all), unit: 'files' }
      return files.done === undefined ? {} : { ...files, message: file }
    }
  },
}

const PV = /^(?:\S.*?: +)?([\d.]+\s?[kKMGT]?i?B)\s+\d+:\d\d:\d\d\s+\[[^\]]*\]\s+\[[^\]]*\](?:\s+(\d+)%)?/

/** The bar of pv, and the bare numbers of `pv -n`, where the command says that it is pv. */
export const pv: Tool = {
  name: 'pv',
  understands: '`-n` where the command line names it, and its bar',
  isLogged: false,
  start(command) {
    const isNumeric = names(command, /\bpv\b[^|;&]*\s(?:-[a-zA-Z]*n|--numeric\b)/)
    return ({ text }) => {
      if (isNumeric && /^(?:\d|[1-9]\d|100)$/.test(text)) return percentage(text)
      const [, size, percent] = PV.exec(text) ?? []
      if (size === undefined) return undefined
      return percent === undefined ? { done: sizeOf(size, 1_024), unit: 'bytes' } : percentage(percent, size)
    }
  },
}

const DD = /^(\d+) bytes(?: \([^)]*\))? copied, /
/** The suffixes of numbers in the arguments of dd. */
const DD_SUFFIX: Record<string, number> = {
  '': 1,
  c: 1,
  w: 2,
  b: 512,
  K: 1_024,
  k: 1_024,
  kB: 1_000,
  M: 1_024 ** 2,
  MB: 1e6,
  G: 1_024 ** 3,
  GB: 1e9,
}

/** The lines of `dd status=progress`. */
export const dd: Tool = {
  name: 'dd',
  understands: '`status=progress`: bytes, and the total where `count=` and `bs=` tell it',
  isLogged: false,
  start(command) {
    const argument = (name: string) => {
      const [, digits, suffix = ''] = new RegExp(`\\b${name}=(\\d+)([a-zA-Z]*)(?:\\s|$)`).exec(command.join(' ')) ?? []
      return digits === undefined ? undefined : Number(digits) * (DD_SUFFIX[suffix] ?? Number.NaN)
    }
    const blocks = argument('count')
    const total = blocks === undefined ? undefined : blocks * (argument('bs') ?? 512) || undefined
    return ({ text }) => {
      const [, done] = DD.exec(text) ?? []
      return done === undefined ? undefined : { done: Number(done), total, unit: 'bytes' }
    }
  },
}

const LAYER = /^([0-9a-f]{12}): (.+?)(?:\s+\[.*)?$/
const LAYER_DONE = /^(?:Pull complete|Already exists|Layer already exists|Pushed|Mounted from .*)$/
const LAYER_STATES =
  /^(?:Pulling fs layer|Waiting|Downloading|Verifying Checksum|Download complete|Extracting|Preparing|Pushing|Retrying .*)$/

/** The layers of `docker pull` and `docker push`. */
export const docker: Tool = {
  name: 'docker pull',
  understands: 'how many layers are done, of `docker push`, too',
  isLogged: false,
  start() {
    const layers = new Map<string, boolean>()
    let message: string | undefined
    return ({ text }) => {
      const [, image] =
        /^\S+: Pulling from (\S+)$|^The push refers to repository \[(.+)\]$/.exec(text)?.filter(Boolean) ?? []
      if (image !== undefined) {
        layers.clear()
        message = image
        return undefined
      }
      const [, layer = '', state = ''] = LAYER.exec(text) ?? []
      const isDone = LAYER_DONE.test(state)
      if (!isDone && !LAYER_STATES.test(state)) return undefined
      layers.set(layer, isDone)
      const done = [...layers.values()].filter(Boolean).length
      return { done, total: layers.size, unit: 'layers', message }
    }
  },
}
