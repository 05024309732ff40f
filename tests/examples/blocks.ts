/** The code blocks of a language in a document, in their order. */
export async function blocks(document: string, language: string): Promise<string[]> {
  const text = await Bun.file(document).text()
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(([, code = '']) => code)
}
