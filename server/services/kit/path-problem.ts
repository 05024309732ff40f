/** Why an untrusted path is refused; `undefined` for one that stays inside its tree. */
export function pathProblem(path: string): string | undefined {
  if (path === '') return 'is empty'
  if (path.includes('\0')) return 'holds a NUL'
  for (const part of path.split('/')) {
    if (part === '') return 'has an empty part'
    if (part === '.' || part === '..') return `has a part “${part}”`
  }
  return undefined
}
