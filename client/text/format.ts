import type { JobLanguage } from './job-language.ts'

/** Numbers, amounts, durations and moments in the words of one language. Made by {@link createFormat}. */
export interface Format<L extends JobLanguage = JobLanguage> {
  language: L
  /** `18604` → `18,604`. */
  number(value: number): string
  /** 0 to 100 → `42 %`. Rounds down: 100 % means everything. */
  percent(value: number): string
  /** A number and its unit: `100 files`, `361 MB`, `1 file`, `42`. */
  amount(value: number, unit: string | undefined): string
  /** How much of how much: `42 of 100 files`, `112 of 361 MB`. Less than all is never rounded up to all: `99.9 of 100`. */
  amountOf(done: number, total: number, unit: string | undefined): string
  /** A rate in the unit of time that makes it readable: `52 files/s`, `3.2 MB/s`, `24 files/min`. */
  rate(perSecond: number, unit: string | undefined): string
  /** Milliseconds → `12 s`, `3 min 12 s`, `1 h 4 min`, `2 d 3 h`: two units at most. */
  duration(milliseconds: number): string
  /** Milliseconds → the largest unit alone: `12 s`, `3 min`, `2 h`, `5 d`. */
  roughDuration(milliseconds: number): string
  /** A moment → `14:02`, or with its date when it was not on the day of `now`. */
  time(moment: number, now: number): string
}

const SECOND = 1_000
const DURATIONS = [
  ['days', 86_400 * SECOND],
  ['hours', 3_600 * SECOND],
  ['minutes', 60 * SECOND],
  ['seconds', SECOND],
] as const

/** Decimal prefixes; with `byte`, the unit names of `Intl`. */
const BYTE_PREFIXES = ['', 'kilo', 'mega', 'giga', 'tera', 'peta'] as const

/** The unit that keeps `value` short, and its bytes. */
function byteUnit(value: number): { unit: string; size: number } {
  let [scale, size] = [0, 1]
  // A value that rounds up to 1,000 is shown in the next unit.
  while (value / size >= 999.5 && scale < BYTE_PREFIXES.length - 1) {
    scale += 1
    size *= 1_000
  }
  return { unit: `${BYTE_PREFIXES[scale]}byte`, size }
}

/** Decimal places: few, so that a growing number does not flicker. */
const decimals = (value: number) => (value !== 0 && value < 10 ? 1 : 0)

/**
 * The formats of a language.
 *
 * @param options.locale in which numbers and dates are written: the language's own when left out
 * @param options.timeZone of the moments: the runtime's own when left out
 * @example
 * ```ts
 * createFormat(english).amountOf(112e6, 361e6, 'bytes') // '112 of 361 MB'
 * ```
 */
export function createFormat<L extends JobLanguage>(
  language: L,
  { locale = language.tag, timeZone }: { locale?: string; timeZone?: string } = {},
): Format<L> {
  const digits = (maximumFractionDigits: number, unit?: Intl.NumberFormatOptions) =>
    new Intl.NumberFormat(locale, { maximumFractionDigits, ...unit })
  const moments = (dateStyle?: 'short' | 'medium', timeStyle?: 'short') =>
    new Intl.DateTimeFormat(locale, { dateStyle, timeStyle, timeZone })
  const whole = digits(0)
  const tenths = digits(1)
  const plurals = new Intl.PluralRules(locale)
  const list = new Intl.ListFormat(locale, { type: 'unit', style: 'narrow' })

  const write = (value: number, places = decimals(value)) => (places ? tenths : whole).format(value)

  /** The part of `total` that is done, with as many digits as `digitsOf` gives a number. What is less than all is not written as all is. */
  const part = (done: number, total: number, digitsOf: (value: number) => number) => {
    const [places, placesOfTotal] = [digitsOf(done), digitsOf(total)]
    const isTrue = done >= total || write(done, places) !== write(total, placesOfTotal)
    return write(isTrue ? done : Math.max(0, Number(total.toFixed(placesOfTotal)) - 0.1 ** places), places)
  }

  const bytes = (value: number, { unit, size } = byteUnit(value), share = value / size) =>
    digits(decimals(share), { style: 'unit', unit, unitDisplay: size === 1 ? 'long' : 'short' })
      .format(share)
      // `Intl` lets them part.
      .replace(' ', '\xa0')

  /** `text` is `value` as it is written; `value` chooses the plural. */
  const withUnit = (text: string, value: number, unit: string | undefined) => {
    if (unit === undefined) return text
    const forms = Object.hasOwn(language.units, unit) ? language.units[unit] : undefined
    return language.amount(text, forms ? (forms[plurals.select(value)] ?? forms.other) : unit)
  }

  const amount = (value: number, unit: string | undefined) =>
    unit === 'bytes' ? bytes(value) : withUnit(tenths.format(value), value, unit)

  const rateAmount = (value: number, unit: string | undefined) =>
    unit === 'bytes' ? bytes(value) : withUnit(write(value), 2, unit)

  /** The largest unit of a duration and the next one, rounded down. */
  const inUnits = (milliseconds: number) => {
    let rest = Math.max(0, milliseconds)
    const units = DURATIONS.map(([name, size]) => {
      const count = Math.floor(rest / size)
      rest %= size
      return count && language[name](whole.format(count))
    })
    const largest = units.findIndex(Boolean)
    return units.slice(largest, largest + 2).filter((unit) => unit !== 0)
  }

  return {
    language,
    number: (value) => tenths.format(value),
    percent: (value) => language.percent(whole.format(Math.floor(value))),
    amount,
    amountOf(done, total, unit) {
      if (unit !== 'bytes')
        return language.doneOfTotal(
          part(done, total, () => 1),
          amount(total, unit),
        )
      const unitOfTotal = byteUnit(total)
      const { size } = unitOfTotal
      return language.doneOfTotal(part(done / size, total / size, decimals), bytes(total, unitOfTotal))
    },
    rate(perSecond, unit) {
      if (perSecond >= 1 || unit === 'bytes') return language.perSecond(rateAmount(perSecond, unit))
      if (perSecond * 60 >= 1) return language.perMinute(rateAmount(perSecond * 60, unit))
      return language.perHour(rateAmount(perSecond * 3_600, unit))
    },
    duration(milliseconds) {
      const units = inUnits(milliseconds)
      return units.length > 0 ? list.format(units) : language.lessThanASecond
    },
    roughDuration: (milliseconds) => inUnits(milliseconds)[0] ?? language.seconds(whole.format(0)),
    time(moment, now) {
      const day = moments('short')
      const isToday = day.format(moment) === day.format(now)
      return moments(isToday ? undefined : 'medium', 'short').format(moment)
    },
  }
}
