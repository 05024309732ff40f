/** The HTML that shows a job on any page. Without a token it works for readers who are signed in. */
export function createSnippet(base: URL, jobPath: string, token: string | undefined): string {
  const attributes = [`src="${new URL(jobPath, base)}"`, ...(token === undefined ? [] : [`token="${token}"`])]
  return [
    '<script type="module"',
    `  src="${new URL('widget.js', base)}"></script>`,
    '<job-progress',
    `  ${attributes.join('\n  ')}></job-progress>`,
  ].join('\n')
}
