import { useState } from 'preact/hooks'
import { Dialog } from '../parts/dialog.tsx'
import { Icon } from '../parts/icon.tsx'
import { text } from '../text.ts'
import { ServiceForm } from './service-form.tsx'
import { type ServiceOffer, services } from './services.ts'

/** Starts one of the reference services, on files or on its sample. */
export function StartDialog({ onClose }: { onClose(): void }) {
  const [selected, setSelected] = useState<ServiceOffer>()
  const service = selected ?? services[0]
  return (
    <Dialog title={text.start.title} onClose={onClose}>
      <p class="muted">{text.start.hint}</p>
      <fieldset class="choices">
        <legend class="unseen">{text.start.service}</legend>
        {services.map((choice) => (
          <label key={choice.name} class="choice">
            <input
              type="radio"
              name="service"
              value={choice.name}
              checked={choice === service}
              onChange={() => setSelected(choice)}
            />
            <Icon icon={choice.icon} />
            <strong>{choice.label}</strong>
            <span>{choice.does}</span>
          </label>
        ))}
      </fieldset>
      {service && <ServiceForm key={service.name} service={service} onStarted={onClose} />}
    </Dialog>
  )
}
