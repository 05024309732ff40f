import { statSync } from 'node:fs'

/** When any of these files was last written: milliseconds since the Unix epoch. Files that are empty or can't be read don't count. */
export function lastWrite(...files: string[]): number | undefined {
  const times = files.flatMap((file) => {
    try {
      const { size, mtimeMs } = statSync(file)
      return size > 0 ? [mtimeMs] : []
    } catch {
      return []
    }
  })
  return times.length === 0 ? undefined : Math.max(...times)
}
