"""A photo as moving limbs: retargeting, segmentation into limbs, skinning, background inpainting, drawing."""
