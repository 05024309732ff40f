/** Samples of an hour, which is the width of the picture. */
const SAMPLES = 120
const HEIGHT = 36

/**
 * The course of a figure over the last hour, newest at the right, as a picture of a line.
 *
 * @param label says the same in words
 */
export function Sparkline({ values, label }: { values: readonly number[]; label: string }) {
  const most = Math.max(...values, Number.MIN_VALUE)
  const first = SAMPLES - values.length
  const points = values.map((value, at) => `${first + at} ${(HEIGHT - 1 - (value / most) * (HEIGHT - 2)).toFixed(1)}`)
  // A single sample is as wide as one.
  const line = `M${points.join('L')}${points.length === 1 ? 'h-1' : ''}`
  return (
    <svg
      class="sparkline"
      viewBox={`0 0 ${SAMPLES - 1} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      {points.length > 1 && <path class="area" d={`${line}V${HEIGHT}H${first}Z`} />}
      {points.length > 0 && <path class="course" d={line} />}
    </svg>
  )
}
