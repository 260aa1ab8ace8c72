/** Error codes as the kernel numbers them. Functions of the model return them negated, as kernel functions do. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  ENODEV: 19,
  EINVAL: 22,
  ENOSPC: 28,
  ERANGE: 34,
  EDEADLK: 35,
  EOVERFLOW: 75,
  EOPNOTSUPP: 95,
  ETIMEDOUT: 110,
  ERESTARTSYS: 512,
} as const;

export const { EPERM, ENOENT, EINTR, EAGAIN, ENOMEM, EFAULT, EBUSY, EEXIST, EINVAL, EOVERFLOW, ERESTARTSYS } = ERRNO;

const names = new Map<number, string>(Object.entries(ERRNO).map(([name, number]) => [-number, `-${name}`]));

/** "-EINVAL" for -22; undefined for a number that is no error code. */
export function errnoName(result: number): string | undefined {
  return names.get(result);
}
/** 22 for "EINVAL"; undefined for any other word. */
export function errnoByName(name: string): number | undefined {
  return (ERRNO as Readonly<Record<string, number>>)[name];
}
