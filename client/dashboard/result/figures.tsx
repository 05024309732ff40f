/** A few figures with their names. */
export function Figures({
  figures,
}: {
  figures: readonly { name: string; value: string; tone?: 'failed' | undefined }[]
}) {
  return (
    <dl class="stats">
      {figures.map(({ name, value, tone }) => (
        <div key={name} class={tone}>
          <dt dir="auto">{name}</dt>
          <dd dir="auto">{value}</dd>
        </div>
      ))}
    </dl>
  )
}
