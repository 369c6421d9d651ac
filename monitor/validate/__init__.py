"""The validate stage: bytes in, events or rejections out. Pure."""
