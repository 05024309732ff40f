/** The words of the palette. */
export const paletteText = {
  title: 'Go to',
  input: 'A page or a job',
  only: (filter: string) => `Jobs: ${filter}`,
}
