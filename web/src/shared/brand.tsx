// The mark: a ship with stacked sails. Drawn here so that it takes the theme's colours.

/** The ship. */
export function ShipMark({ size = 20 }: { size?: number }) {
  return (
    <svg viewBox="0 0 32 32" width={size} height={size} aria-hidden="true" className="shrink-0">
      <path className="fill-accent opacity-60" d="M14.5 4.5h3v3h-3zM11 9h10v4H11zM7.5 14.5h17v4h-17z" />
      <path className="fill-accent" d="M3 20h26l-3.4 6.6A2.6 2.6 0 0 1 23.3 28H8.7a2.6 2.6 0 0 1-2.3-1.4z" />
    </svg>
  );
}
