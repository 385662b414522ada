# Training on a graphics card, without a screen and without devices.
#   docker compose -f docker/compose.train.yaml run --rm train
FROM nvidia/cuda:12.8.1-base-ubuntu24.04
ENV NVIDIA_DRIVER_CAPABILITIES=compute,graphics,utility
COPY docker/install.sh /mimic/docker/install.sh
RUN /mimic/docker/install.sh base
# Lets EGL find the card for the pictures of the twin; the driver itself comes from the host.
RUN mkdir -p /usr/share/glvnd/egl_vendor.d \
    && printf '{"file_format_version": "1.0.0", "ICD": {"library_path": "libEGL_nvidia.so.0"}}\n' \
       > /usr/share/glvnd/egl_vendor.d/10_nvidia.json
WORKDIR /mimic
COPY . .
RUN docker/install.sh learning && rm -rf /root/.cache
ENTRYPOINT ["docker/entrypoint.sh"]
CMD ["shell"]
