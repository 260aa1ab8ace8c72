// SPDX-License-Identifier: GPL-2.0
/*
 * vgpu_svm - shared virtual memory for the vgpu, on top of HMM mirrors.
 *
 * The device page table is written only with svm->lock held; so is the
 * decision whether what a fault has found is still valid.
 */
#include <linux/hmm.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#define VGPU_FAULT_PAGES	4

struct vgpu_svm {
	struct mm_struct	*mm;
	struct hmm_mirror	mirror;
	struct mutex		lock;	/* device page table */
	bool			dead;
};

static const uint64_t vgpu_pfn_flags[HMM_PFN_FLAG_MAX] = {
	[HMM_PFN_VALID]		 = (1UL << 0),
	[HMM_PFN_WRITE]		 = (1UL << 1),
	[HMM_PFN_DEVICE_PRIVATE] = (1UL << 2),
};

static const uint64_t vgpu_pfn_values[HMM_PFN_VALUE_MAX] = {
	[HMM_PFN_ERROR]	  = 0xfffffffffffffffeUL,
	[HMM_PFN_NONE]	  = 0,
	[HMM_PFN_SPECIAL] = 0xfffffffffffffffcUL,
};

/* Called from mmu notifiers; may run while a fault is under way. */
static int vgpu_sync_cpu_device_pagetables(struct hmm_mirror *mirror,
					   const struct hmm_update *update)
{
	struct vgpu_svm *svm = container_of(mirror, struct vgpu_svm, mirror);

	if (update->blockable)
		mutex_lock(&svm->lock);
	else if (!mutex_trylock(&svm->lock))
		return -EAGAIN;
	device_unmap(vgpu, update->start, update->end);
	mutex_unlock(&svm->lock);
	return 0;
}

static void vgpu_mirror_release(struct hmm_mirror *mirror)
{
	struct vgpu_svm *svm = container_of(mirror, struct vgpu_svm, mirror);

	pr_debug("vgpu: mm %p is going away\n", svm->mm);
	mutex_lock(&svm->lock);
	svm->dead = true;
	device_unmap(vgpu, 0, TASK_SIZE);
	mutex_unlock(&svm->lock);
}

static const struct hmm_mirror_ops vgpu_mirror_ops = {
	.sync_cpu_device_pagetables	= vgpu_sync_cpu_device_pagetables,
	.release			= vgpu_mirror_release,
};

/* Returns the number of pages mapped for the device, or a negative error. */
long vgpu_svm_fault(struct vgpu_svm *svm, unsigned long start,
		    unsigned long end)
{
	uint64_t pfns[VGPU_FAULT_PAGES] = { 0 };
	struct hmm_range range = {
		.pfns		= pfns,
		.flags		= vgpu_pfn_flags,
		.values		= vgpu_pfn_values,
		.pfn_shift	= PAGE_SHIFT,
		.default_flags	= (1UL << 0) | (1UL << 1),
		.pfn_flags_mask	= 0,
	};
	struct mm_struct *mm = svm->mm;
	long ret;

	if (WARN_ON((end - start) >> PAGE_SHIFT > VGPU_FAULT_PAGES))
		return -EINVAL;
	if (!mmget_not_zero(mm))
		return -EFAULT;

	ret = hmm_range_register(&range, mm, start, end, PAGE_SHIFT);
	if (ret)
		goto out_put;
again:
	if (!hmm_range_wait_until_valid(&range, HMM_RANGE_DEFAULT_TIMEOUT)) {
		ret = -EBUSY;
		goto out_unregister;
	}
	down_read(&mm->mmap_sem);
	ret = hmm_range_fault(&range, true);
	/* -EAGAIN: hmm has dropped mmap_sem for us */
	if (ret == -EAGAIN)
		goto again;
	if (ret <= 0) {
		up_read(&mm->mmap_sem);
		if (ret == -EBUSY)
			goto again;
		goto out_unregister;
	}

	mutex_lock(&svm->lock);
	if (svm->dead) {
		ret = -EFAULT;
		goto out_unlock;
	}
	if (!hmm_range_valid(&range)) {
		mutex_unlock(&svm->lock);
		up_read(&mm->mmap_sem);
		goto again;
	}
	device_map(vgpu, &range);
	pr_debug("vgpu: mapped %ld pages at 0x%lx\n", ret, start);
out_unlock:
	mutex_unlock(&svm->lock);
	up_read(&mm->mmap_sem);
out_unregister:
	hmm_range_unregister(&range);
out_put:
	mmput(mm);
	return ret;
}
EXPORT_SYMBOL_GPL(vgpu_svm_fault);

struct vgpu_svm *vgpu_svm_bind(struct mm_struct *mm)
{
	struct vgpu_svm *svm;
	int ret;

	svm = kzalloc(sizeof(*svm), GFP_KERNEL);
	if (!svm)
		return ERR_PTR(-ENOMEM);
	mutex_init(&svm->lock);
	svm->mirror.ops = &vgpu_mirror_ops;
	svm->mm = mm;
	mmgrab(mm);

	down_write(&mm->mmap_sem);
	ret = hmm_mirror_register(&svm->mirror, mm);
	up_write(&mm->mmap_sem);
	if (ret) {
		mmdrop(mm);
		kfree(svm);
		return ERR_PTR(ret);
	}
	return svm;
}

void vgpu_svm_unbind(struct vgpu_svm *svm)
{
	if (IS_ERR_OR_NULL(svm))
		return;
	hmm_mirror_unregister(&svm->mirror);
	mmdrop(svm->mm);
	kfree(svm);
}
MODULE_LICENSE("GPL v2");
