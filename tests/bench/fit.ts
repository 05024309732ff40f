/** A straight line: `a + b × x`. */
export interface Line {
  a: number
  b: number
}

/**
 * The line that goes nearest to some points, each error taken in proportion to its value: so that a small value tells the intercept and a
 * large one the slope. What is no number is left out; with fewer than two points both are NaN.
 */
export function fit(points: readonly { x: number; y: number }[]): Line {
  let [w, wx, wy, wxx, wxy] = [0, 0, 0, 0, 0]
  for (const { x, y } of points) {
    const weight = 1 / y ** 2
    if (!Number.isFinite(weight)) continue
    w += weight
    wx += weight * x
    wy += weight * y
    wxx += weight * x * x
    wxy += weight * x * y
  }
  const b = (w * wxy - wx * wy) / (w * wxx - wx ** 2)
  return { a: (wy - b * wx) / w, b }
}
