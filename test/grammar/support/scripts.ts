/** A script with a bit of everything, and a driver as someone might paste it. */
export const race = `kernel v6.1
include "lib/gpu.hmm" as lib
var hits = 0
mutex gpu_lock
mmu_interval_notifier sub
device gpu

fn gpu_fault(sub, range) {                     # runs on whichever CPU calls it
again:
  seq = mmu_interval_read_begin sub
  mmap_read_lock mm
  ret = hmm_range_fault sub range write
  mmap_read_unlock mm
  if ret == -EBUSY {
    goto again
  }
  if ret != 0 {
    return ret
  }
  mutex_lock gpu_lock
  if mmu_interval_read_retry(sub, seq) {
    mutex_unlock gpu_lock
    goto again
  }
  device_map gpu range
  mutex_unlock gpu_lock
  return 0
}

mmu_interval_notifier_ops gpu_ops {
  invalidate(sub, range, cur_seq) {
    mutex_lock gpu_lock
    mmu_interval_set_seq sub cur_seq
    device_unmap gpu range
    mutex_unlock gpu_lock
    return true
  }
}

cpu0: mmap 0x1000..0x5000 rw
cpu0: mmap 0x1000..; cpu1: hmm_range_fault ...
ret = mmu_interval_notifier_insert sub mm 0x1000..0x5000 gpu_ops
cpu0: mmput mm until exit_mmap
cpu0: continue until remove_vma #2
cpu1: step 3
fail kmalloc #2

race {
  cpu0: munmap 0x1000..+8K
  cpu1: {
    ret = gpu_fault sub 0x1000..0x3000
    x = choose(0, 1)
  } until blocked
}

expect ret == -EFAULT
expect sometimes ret == 0
expect bug use-after-free in find_vma
expect blocked cpu1 on mm.mmap_sem
always mm.mm_count >= 0
show locks, device gpu
`;

export const driver = `#include <linux/hmm.h>

struct gpu {
	struct mmu_interval_notifier sub;
	struct mutex lock;
	unsigned long seq;
	u64 pfns[16];
};

static DEFINE_MUTEX(list_lock);

static bool gpu_invalidate(struct mmu_interval_notifier *mni,
			   const struct mmu_notifier_range *range,
			   unsigned long cur_seq)
{
	struct gpu *gpu = container_of(mni, struct gpu, sub);

	if (mmu_notifier_range_blockable(range))
		mutex_lock(&gpu->lock);
	else if (!mutex_trylock(&gpu->lock))
		return false;

	mmu_interval_set_seq(mni, cur_seq);
	for (unsigned long addr = range->start; addr < range->end; addr += PAGE_SIZE)
		device_unmap(gpu, addr);
	mutex_unlock(&gpu->lock);
	return true;
}

static const struct mmu_interval_notifier_ops gpu_mni_ops = {
	.invalidate = gpu_invalidate,
};

int gpu_range_fault(struct gpu *gpu, unsigned long start, unsigned long end)
{
	unsigned long timeout = jiffies + msecs_to_jiffies(1000);
	struct hmm_range range = {
		.notifier = &gpu->sub,
		.start = start,
		.end = end,
		.hmm_pfns = gpu->pfns,
		.default_flags = HMM_PFN_REQ_FAULT |
			(write ? HMM_PFN_REQ_WRITE : 0),
	};
	struct mm_struct *mm = gpu->sub.mm;
	int ret, tries = 0;

	if (!mmget_not_zero(mm))
		return -EFAULT;

	while (true) {
		if (time_after(jiffies, timeout) || tries++ > 10) {
			ret = -EBUSY;
			goto out;
		}

		range.notifier_seq = mmu_interval_read_begin(range.notifier);
		mmap_read_lock(mm);
		ret = hmm_range_fault(&range);
		mmap_read_unlock(mm);
		if (ret) {
			if (ret == -EBUSY)
				continue;
			goto out;
		}

		mutex_lock(&gpu->lock);
		if (mmu_interval_read_retry(range.notifier, range.notifier_seq)) {
			mutex_unlock(&gpu->lock);
			continue;
		}
		break;
	}

	pr_debug("mapped %lx-%lx\\n", start, end);
	device_map(gpu, &range);
	mutex_unlock(&gpu->lock);
out:
	mmput(mm);
	return ret;
}
`;
