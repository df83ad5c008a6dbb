"""What a voice has around its network, without torch: encoder, quantizers, conditioner, postfilter."""
