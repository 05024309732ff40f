import type { JobHeader } from './job.ts'

/** Whether each word of a text is somewhere in a job's title, kind, owner or id, in any case. */
export function matchesText(
  { title, kind, owner, id }: Pick<JobHeader, 'title' | 'kind' | 'owner' | 'id'>,
  text: string,
) {
  const haystack = `${title}\n${kind}\n${owner}\n${id}`.toLowerCase()
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => haystack.includes(word))
}
